module example.org/access-log

go 1.21

require github.com/mileusna/useragent v1.3.5
