#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

// The text forms of gRPC over HTTP/2 (doc/PROTOCOL-HTTP2.md of the gRPC project).
namespace etcd::transport {

// "grpc-timeout": 1 to 8 digits and a unit of HMSmun. nullopt when malformed. Capped so that adding
// it to a time point cannot overflow.
std::optional<std::chrono::nanoseconds> ParseTimeout(std::string_view text);

// "grpc-message": bytes outside 0x20..0x7e and '%' as %XX.
std::string PercentEncode(std::string_view message);

// Values of "-bin" keys. Decoding takes padded and unpadded text, encoding writes none.
std::optional<std::string> DecodeBase64(std::string_view text);
std::string EncodeBase64(std::string_view bytes);

// True for what metadata without "-bin" may hold: 0x20..0x7e.
bool IsPrintableAscii(std::string_view value);

bool IsBinaryKey(std::string_view key);

// "application/grpc", alone or followed by '+' or ';'.
bool IsGrpcContentType(std::string_view value);

}  // namespace etcd::transport
