module tollgate/go-json

go 1.19
