#include "operator/kube/api_error.h"

#include <string>

#include <gtest/gtest.h>

#include "server/base/status.h"

namespace etcd::kube {
namespace {

using std::chrono::seconds;

absl::Status Of(int code, std::string_view body = "") {
  return StatusOfAnswer(code, body, std::nullopt);
}

TEST(ApiError, FollowsCodeAndReason) {
  EXPECT_TRUE(Of(200).ok());
  EXPECT_TRUE(Of(201).ok());
  EXPECT_TRUE(Is(Of(404), ApiErrc::kNotFound));
  EXPECT_TRUE(Is(Of(409), ApiErrc::kConflict));
  EXPECT_TRUE(Is(Of(409, R"({"reason":"AlreadyExists"})"), ApiErrc::kAlreadyExists));
  EXPECT_TRUE(Is(Of(422), ApiErrc::kInvalid));
  EXPECT_TRUE(Is(Of(410), ApiErrc::kExpired));
  EXPECT_TRUE(Is(Of(500, R"({"reason":"Expired"})"), ApiErrc::kExpired));
  EXPECT_TRUE(Is(Of(500), ApiErrc::kServerError));
  EXPECT_TRUE(Is(Of(503), ApiErrc::kUnavailable));
  EXPECT_TRUE(Is(Of(504), ApiErrc::kUnavailable));
  EXPECT_TRUE(Is(Of(504, R"({"details":{"causes":[{"reason":"ResourceVersionTooLarge"}]}})"),
                 ApiErrc::kResourceVersionTooLarge));
  EXPECT_TRUE(Is(Of(302), ApiErrc::kOther));
}

TEST(ApiError, CarriesTheServersMessage) {
  EXPECT_EQ(base::MessageOf(Of(422, R"({"message":"spec.replicas: must be odd"})")),
            "spec.replicas: must be odd");
}

TEST(ApiError, ShowsLittleOfAProxysPageAndNoControlBytes) {
  const std::string page = "<html>\x1b[31m\n" + std::string(100'000, 'x');
  const absl::Status status = Of(502, page);
  EXPECT_TRUE(Is(status, ApiErrc::kServerError));
  EXPECT_LT(status.message().size(), 300U);
  EXPECT_EQ(base::MessageOf(status).find('\x1b'), std::string_view::npos);
}

TEST(ApiError, KnowsHowLongToWait) {
  EXPECT_EQ(RetryAfterOf(Of(429)), std::nullopt);
  EXPECT_EQ(RetryAfterOf(Of(429, R"({"details":{"retryAfterSeconds":7}})")), seconds(7));
  EXPECT_EQ(RetryAfterOf(StatusOfAnswer(429, R"({"details":{"retryAfterSeconds":7}})", seconds(2))),
            seconds(2));
  EXPECT_EQ(RetryAfterOf(Of(429, R"({"details":{"retryAfterSeconds":99999999999}})")),
            seconds(3600));
  EXPECT_EQ(RetryAfterOf(Of(429, R"({"details":{"retryAfterSeconds":-5}})")), std::nullopt);
}

TEST(ApiError, TellsUnknownOutcomesFromFailures) {
  EXPECT_TRUE(IsOutcomeUnknown(ApiError(ApiErrc::kNoAnswer, "")));
  EXPECT_TRUE(IsOutcomeUnknown(Of(503)));
  EXPECT_TRUE(IsOutcomeUnknown(Of(500)));
  EXPECT_FALSE(IsOutcomeUnknown(ApiError(ApiErrc::kNotSent, "")));
  EXPECT_FALSE(IsOutcomeUnknown(Of(429)));
  EXPECT_FALSE(IsOutcomeUnknown(Of(409)));
  EXPECT_FALSE(IsOutcomeUnknown(absl::OkStatus()));
}

}  // namespace
}  // namespace etcd::kube
