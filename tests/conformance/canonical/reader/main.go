// Reads lines "Message hex" ("-": no bytes) and prints each request as the code that an etcd of Go
// has for it writes what it has read. Exits with 1 when one cannot be read. Built by
// canonical_go_test.py against the modules of each release in bench/peers.
package main

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"os"
	"strings"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

var requests = map[string]func() message{
	"RangeRequest":       func() message { return &pb.RangeRequest{} },
	"PutRequest":         func() message { return &pb.PutRequest{} },
	"DeleteRangeRequest": func() message { return &pb.DeleteRangeRequest{} },
	"TxnRequest":         func() message { return &pb.TxnRequest{} },
	"CompactionRequest":  func() message { return &pb.CompactionRequest{} },
	"LeaseGrantRequest":  func() message { return &pb.LeaseGrantRequest{} },
	"LeaseRevokeRequest": func() message { return &pb.LeaseRevokeRequest{} },
	"AlarmRequest":       func() message { return &pb.AlarmRequest{} },
}

func rewrite(name, text string) (string, error) {
	data, err := hex.DecodeString(strings.TrimSuffix(text, "-"))
	if err != nil {
		return "", err
	}
	create, known := requests[name]
	if !known {
		return "", fmt.Errorf("no message %q", name)
	}
	request := create()
	if err := decode(data, request); err != nil {
		return "", err
	}
	data, err = encode(request)
	if err != nil || len(data) == 0 {
		return "-", err
	}
	return hex.EncodeToString(data), nil
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for lines.Scan() {
		name, text, _ := strings.Cut(lines.Text(), " ")
		text, err := rewrite(name, text)
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", lines.Text(), err)
			os.Exit(1)
		}
		fmt.Fprintln(out, name, text)
	}
}
