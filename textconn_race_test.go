//go:build race

package sockets

const textRace = true
