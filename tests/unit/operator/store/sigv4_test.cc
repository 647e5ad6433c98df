#include "operator/store/sigv4.h"

#include <gtest/gtest.h>

namespace etcd::store {
namespace {

// The examples of AWS' documentation of S3 (operator-spec 10.3).
const S3Keys kKeys{.access_key = "AKIAIOSFODNN7EXAMPLE",
                   .secret_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"};

std::string SignatureOf(SignableRequest request, const S3Keys& keys = kKeys) {
  request.headers["host"] = "examplebucket.s3.amazonaws.com";
  const std::string header =
      Sign(std::move(request), keys, "us-east-1", "20130524T000000Z").headers["authorization"];
  return header.substr(header.find("Signature=") + 10);
}

TEST(SigV4, SignsAGetOfARange) {
  EXPECT_EQ(
      SignatureOf({.method = "GET", .path = "/test.txt", .headers = {{"range", "bytes=0-9"}}}),
      "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST(SigV4, SignsAPutOfAKeyThatIsEncoded) {
  EXPECT_EQ(SignatureOf({.method = "PUT",
                         .path = "/test$file.text",
                         .headers = {{"date", "Fri, 24 May 2013 00:00:00 GMT"},
                                     {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
                         .payload_sha256 = Sha256Hex("Welcome to Amazon S3.")}),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

TEST(SigV4, SignsAQueryParameterWithoutAValue) {
  EXPECT_EQ(SignatureOf({.method = "GET", .path = "/", .query = {{"lifecycle", ""}}}),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
}

TEST(SigV4, SignsQueryParametersInAnyOrder) {
  const std::string expected = "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7";
  EXPECT_EQ(
      SignatureOf({.method = "GET", .path = "/", .query = {{"max-keys", "2"}, {"prefix", "J"}}}),
      expected);
  EXPECT_EQ(
      SignatureOf({.method = "GET", .path = "/", .query = {{"prefix", "J"}, {"max-keys", "2"}}}),
      expected);
}

TEST(SigV4, NamesAllHeadersThatItSigns) {
  SignableRequest request{.method = "GET", .path = "/", .headers = {{"host", "h"}, {"range", "r"}}};
  S3Keys keys = kKeys;
  keys.session_token = "token";
  const auto headers = Sign(std::move(request), keys, "us-east-1", "20130524T000000Z").headers;
  EXPECT_EQ(headers.at("x-amz-security-token"), "token");
  EXPECT_NE(headers.at("authorization")
                .find("SignedHeaders=host;range;x-amz-content-sha256;x-amz-date;"
                      "x-amz-security-token,"),
            std::string::npos);
}

TEST(SigV4, TheTokenChangesTheSignature) {
  S3Keys keys = kKeys;
  keys.session_token = "token";
  EXPECT_NE(SignatureOf({.method = "GET", .path = "/"}),
            SignatureOf({.method = "GET", .path = "/"}, keys));
}

TEST(SigV4, EncodesPathsOnce) {
  EXPECT_EQ(EncodeUri("/a b/ü+%/~x", true), "/a%20b/%C3%BC%2B%25/~x");
  EXPECT_EQ(EncodeUri("a/b", false), "a%2Fb");
}

TEST(SigV4, SpacesOfHeadersAreOne) {
  const auto with = [](std::string value) {
    return SignatureOf({.method = "GET", .path = "/", .headers = {{"x-amz-meta-a", value}}});
  };
  EXPECT_EQ(with("  a   b "), with("a b"));
  EXPECT_NE(with("ab"), with("a b"));
}

}  // namespace
}  // namespace etcd::store
