// Package socktest has what the tests of this module share: the leak check of
// TestMain, child processes, network namespaces, waiting for a condition, filling
// buffers, and finding out what the user and the system have. It imports nothing of
// the module, so that each package can use it.
package socktest
