module etcdpp/tests/conformance/canonical/reader

go 1.26.0
