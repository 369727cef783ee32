// Package lint holds the rules of this repository as tests: which package may import which, that what is exported is
// explained, that functions and files stay short, what the embeddable package may link, and that the documents name
// tests and files that exist.
//
// Each rule is one test that reads the sources the way a reviewer would and says in its message what to do. A rule
// with exceptions keeps them in a table beside it, each with its reason, and an exception that is no longer needed
// fails as well. The package hides how the sources are found and parsed; it exports nothing.
package lint
