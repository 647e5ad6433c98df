//go:build google

package main

import "google.golang.org/protobuf/proto"

// 3.7: Google's library.
type message = proto.Message

func decode(data []byte, m message) error { return proto.Unmarshal(data, m) }
func encode(m message) ([]byte, error) {
	return proto.MarshalOptions{Deterministic: true}.Marshal(m)
}
