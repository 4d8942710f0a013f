module atelier

go 1.21
