//go:build !cgo || !icu

package main

var icuWays []textWay
