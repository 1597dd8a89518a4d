//go:build race

package codec

// sparse is how much of an exhaustive test is left under the race detector,
// which finds nothing in pure functions: one of so many.
const sparse = 13
