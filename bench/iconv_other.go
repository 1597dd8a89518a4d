//go:build !cgo || !linux

package main

var iconvWays []textWay
