module polyfold

go 1.24
