package sockets_test

var subject = netImpl
