#include "operator/store/s3_answers.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "operator/store/object_store.h"
#include "operator/store/xml.h"

namespace etcd::store {
namespace {

using Code = absl::StatusCode;

constexpr std::size_t kMessageMax = 300;

template <std::size_t n>
bool IsOneOf(std::string_view code, const std::array<std::string_view, n>& codes) {
  return std::find(codes.begin(), codes.end(), code) != codes.end();
}

constexpr std::array<std::string_view, 9> kRefusedKeys = {
    "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken",
    "ExpiredToken",       "TokenRefreshRequired",  "NotSignedUp",
    "InvalidSecurity",    "AccessKeyIdNotFound",   "XAdminUserNotFound"};

// What a 404 says of an object that is not there; anything else is another fault.
constexpr std::array<std::string_view, 5> kMissing = {"", "NoSuchKey", "NoSuchUpload",
                                                      "NoSuchVersion", "NotFound"};

std::string DetailOf(const HttpReply& reply, const S3Error& error) {
  if (error.code.empty()) return fmt::format("HTTP {}", reply.code);
  return fmt::format("{}: {}", error.code, error.message.substr(0, kMessageMax));
}

}  // namespace

S3Error ReadS3Error(const HttpReply& reply) {
  const auto document = ParseXml(reply.body);
  if (!document.ok() || document->name != "Error") return {};
  return {.code = std::string(document->TextOf("Code")),
          .message = std::string(document->TextOf("Message")),
          .region = std::string(document->TextOf("Region"))};
}

bool IsWorthRepeating(int http_code, const S3Error& error) {
  return http_code == 429 || http_code == 500 || http_code == 502 || http_code == 503 ||
         http_code == 504 || error.code == "SlowDown" || error.code == "InternalError" ||
         error.code == "RequestTimeout";
}

absl::Status StatusOfS3(const S3Context& context, const HttpReply& reply, const S3Error& error) {
  const std::string detail = DetailOf(reply, error);
  const std::string& code = error.code;
  if (code == "RequestTimeTooSkewed") {
    const auto date = reply.headers.find("date");
    return Failure(
        Code::kFailedPrecondition, "ClockSkew",
        fmt::format("{} says that our clock is wrong by more than 15 minutes: here it is {}, there "
                    "{}; set the clock of the node (or of the store)",
                    context.where, context.our_time,
                    date == reply.headers.end() ? "unknown" : date->second));
  }
  if (code == "NoSuchBucket") {
    return Failure(Code::kFailedPrecondition, "BucketMissing",
                   fmt::format("there is no bucket {} at {}; create it, or correct "
                               "destination.s3.bucket",
                               context.bucket, context.where));
  }
  if (IsOneOf(code, kRefusedKeys) || reply.code == 401) {
    return Failure(Code::kPermissionDenied, "CredentialsRefused",
                   fmt::format("{} does not accept the credentials ({}); correct "
                               "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in {}",
                               context.where, detail, context.keys_from));
  }
  if (reply.code == 403) {
    return Failure(
        Code::kPermissionDenied, "CredentialsRefused",
        fmt::format("{} does not allow the {} ({}); grant ListBucket on bucket {} and "
                    "GetObject, PutObject, DeleteObject on its objects to the key in {}",
                    context.where, context.what, detail, context.bucket, context.keys_from));
  }
  if (reply.code == 404 && IsOneOf(code, kMissing)) {
    return Failure(Code::kNotFound, "BadObject",
                   fmt::format("the {} found nothing there ({})", context.what, detail));
  }
  if (IsWorthRepeating(reply.code, error)) {
    return Failure(
        Code::kUnavailable, "DestinationUnreachable",
        fmt::format("{} cannot do the {} now ({})", context.where, context.what, detail));
  }
  return Failure(Code::kFailedPrecondition, "DestinationRefused",
                 fmt::format("{} refuses the {} ({})", context.where, context.what, detail));
}

}  // namespace etcd::store
