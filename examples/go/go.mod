module libhnx.example

go 1.19
