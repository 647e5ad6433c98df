//go:build !google

package main

// 3.5 and 3.6: generated code of gogo/protobuf.
type message interface {
	Marshal() ([]byte, error)
	Unmarshal([]byte) error
}

func decode(data []byte, m message) error { return m.Unmarshal(data) }
func encode(m message) ([]byte, error)    { return m.Marshal() }
