//go:build !race

package codec

const sparse = 1
