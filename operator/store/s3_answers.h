#pragma once

#include <string>

#include <absl/status/status.h>

#include "operator/store/http.h"

// What S3's answers mean.
namespace etcd::store {

struct S3Error {
  std::string code{};  // "NoSuchKey"; empty when the answer has no such document
  std::string message{};
  std::string region{};  // that the bucket is in, when the answer says
};
S3Error ReadS3Error(const HttpReply& reply);

// Worth another try after a while.
bool IsWorthRepeating(int http_code, const S3Error& error);

struct S3Context {
  std::string what{};   // "PUT of s3://bucket/key"
  std::string where{};  // "https://endpoint"
  std::string bucket{};
  std::string keys_from{};  // "Secret s3"
  std::string our_time{};
};
// A sentence that says what to do. kNotFound for an object that is not there.
absl::Status StatusOfS3(const S3Context& context, const HttpReply& reply, const S3Error& error);

}  // namespace etcd::store
