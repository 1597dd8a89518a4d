module github.com/iolib-go/sockets/bench

go 1.26.0

require (
	github.com/cloudwego/netpoll v0.7.2
	github.com/google/go-cmp v0.7.0
	github.com/iolib-go/sockets v0.0.0
	github.com/mdlayher/socket v0.8.0
	golang.org/x/net v0.62.0
	golang.org/x/sys v0.49.0
	golang.org/x/text v0.43.0
)

require (
	github.com/bytedance/gopkg v0.1.1 // indirect
	github.com/cloudwego/gopkg v0.1.4 // indirect
	golang.org/x/sync v0.24.0 // indirect
)

replace github.com/iolib-go/sockets => ..
