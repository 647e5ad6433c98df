#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// AWS Signature Version 4 of S3 requests (operator-spec 10.3). Pure.
namespace etcd::store {

// Never logged.
struct S3Keys {
  std::string access_key{};
  std::string secret_key{};
  std::string session_token{};  // of temporary keys; empty for others
};

inline constexpr std::string_view kEmptySha256 =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

struct SignableRequest {
  std::string method{};
  std::string path{};                                        // "/bucket/a key", not encoded
  std::vector<std::pair<std::string, std::string>> query{};  // not encoded, any order
  // By lower-case name; `host` must be there, x-amz-content-sha256 and x-amz-date are added.
  std::map<std::string, std::string> headers{};
  std::string payload_sha256{kEmptySha256};  // hex
};

// Percent-encodes every byte but A-Z a-z 0-9 - _ . ~, and '/' when `keep_slash`.
std::string EncodeUri(std::string_view text, bool keep_slash);

// "a=b&c=", encoded and sorted as the signature wants it; empty for none.
std::string EncodeQuery(const std::vector<std::pair<std::string, std::string>>& query);

// `request` with x-amz-date, x-amz-content-sha256, x-amz-security-token if any, and authorization.
// `amz_date` is "20130524T000000Z". All headers that it has before are signed.
SignableRequest Sign(SignableRequest request, const S3Keys& keys, std::string_view region,
                     std::string_view amz_date);

std::string HexOf(std::string_view bytes);
std::string Sha256Hex(std::string_view bytes);

}  // namespace etcd::store
