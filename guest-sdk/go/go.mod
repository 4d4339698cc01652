module polyfold

go 1.27
