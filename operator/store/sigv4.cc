#include "operator/store/sigv4.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "server/base/check.h"

namespace etcd::store {
namespace {

using Digest = std::array<unsigned char, EVP_MAX_MD_SIZE>;

std::string Text(const Digest& digest, unsigned size) {
  return {reinterpret_cast<const char*>(digest.data()), size};
}

std::string Sha256(std::string_view bytes) {
  Digest digest{};
  unsigned size = 0;
  CHECK(EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) == 1)
      << "SHA-256";
  return Text(digest, size);
}

std::string Hmac(std::string_view key, std::string_view bytes) {
  Digest digest{};
  unsigned size = 0;
  CHECK(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
             reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data(),
             &size) != nullptr)
      << "HMAC-SHA-256";
  return Text(digest, size);
}

bool IsUnreserved(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.' || c == '~';
}

// Spaces at both ends off, runs of spaces inside to one.
std::string Trimmed(std::string_view value) {
  std::string trimmed;
  for (const char c : value) {
    const bool is_space = c == ' ' || c == '\t';
    if (is_space && (trimmed.empty() || trimmed.back() == ' ')) continue;
    trimmed += is_space ? ' ' : c;
  }
  if (!trimmed.empty() && trimmed.back() == ' ') trimmed.pop_back();
  return trimmed;
}

std::string NamesOf(const std::map<std::string, std::string>& headers) {
  std::string names;
  for (const auto& [name, value] : headers) names += (names.empty() ? "" : ";") + name;
  return names;
}

std::string CanonicalOf(const SignableRequest& request) {
  std::string canonical = fmt::format("{}\n{}\n{}\n", request.method, EncodeUri(request.path, true),
                                      EncodeQuery(request.query));
  for (const auto& [name, value] : request.headers) {
    canonical += fmt::format("{}:{}\n", name, Trimmed(value));
  }
  canonical += fmt::format("\n{}\n{}", NamesOf(request.headers), request.payload_sha256);
  return canonical;
}

}  // namespace

std::string HexOf(std::string_view bytes) {
  std::string hex;
  for (const char byte : bytes) hex += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return hex;
}

std::string Sha256Hex(std::string_view bytes) { return HexOf(Sha256(bytes)); }

std::string EncodeUri(std::string_view text, bool keep_slash) {
  std::string encoded;
  for (const char c : text) {
    if (IsUnreserved(c) || (keep_slash && c == '/')) {
      encoded += c;
    } else {
      encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return encoded;
}

std::string EncodeQuery(const std::vector<std::pair<std::string, std::string>>& query) {
  std::vector<std::pair<std::string, std::string>> encoded;
  for (const auto& [name, value] : query) {
    encoded.emplace_back(EncodeUri(name, false), EncodeUri(value, false));
  }
  std::sort(encoded.begin(), encoded.end());
  std::string text;
  for (const auto& [name, value] : encoded) {
    text += fmt::format("{}{}={}", text.empty() ? "" : "&", name, value);
  }
  return text;
}

SignableRequest Sign(SignableRequest request, const S3Keys& keys, std::string_view region,
                     std::string_view amz_date) {
  request.headers["x-amz-date"] = amz_date;
  request.headers["x-amz-content-sha256"] = request.payload_sha256;
  if (!keys.session_token.empty()) request.headers["x-amz-security-token"] = keys.session_token;
  const std::string_view day = amz_date.substr(0, 8);
  const std::string scope = fmt::format("{}/{}/s3/aws4_request", day, region);
  const std::string to_sign =
      fmt::format("AWS4-HMAC-SHA256\n{}\n{}\n{}", amz_date, scope, Sha256Hex(CanonicalOf(request)));
  std::string key = Hmac("AWS4" + keys.secret_key, day);
  key = Hmac(key, region);
  key = Hmac(key, "s3");
  key = Hmac(key, "aws4_request");
  request.headers["authorization"] =
      fmt::format("AWS4-HMAC-SHA256 Credential={}/{},SignedHeaders={},Signature={}",
                  keys.access_key, scope, NamesOf(request.headers), HexOf(Hmac(key, to_sign)));
  return request;
}

}  // namespace etcd::store
