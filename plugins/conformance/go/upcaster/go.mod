module conformance-v2

go 1.24

require polyfold v0.0.0

replace polyfold => ./polyfold
