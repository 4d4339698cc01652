module count-and-sum

go 1.24

require polyfold v0.0.0

replace polyfold => ./polyfold
