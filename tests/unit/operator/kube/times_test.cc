#include "operator/kube/times.h"

#include <gtest/gtest.h>

#include "operator/kube/api_error.h"

namespace etcd::kube {
namespace {

WallTime At(std::int64_t microseconds) { return WallTime(std::chrono::microseconds(microseconds)); }

TEST(Times, AreWrittenAsTheApiWantsThem) {
  EXPECT_EQ(FormatTime(At(0)), "1970-01-01T00:00:00Z");
  EXPECT_EQ(FormatTime(At(1'795'277'102'999'999)), "2026-11-21T16:05:02Z");
  EXPECT_EQ(FormatMicroTime(At(1'795'277'102'000'042)), "2026-11-21T16:05:02.000042Z");
  EXPECT_EQ(FormatMicroTime(At(-1)), "1969-12-31T23:59:59.999999Z");
}

TEST(Times, AreReadInEveryForm) {
  EXPECT_EQ(*ParseTime("2026-11-21T16:05:02Z"), At(1'795'277'102'000'000));
  EXPECT_EQ(*ParseTime("2026-11-21T16:05:02.000042Z"), At(1'795'277'102'000'042));
  EXPECT_EQ(*ParseTime("2026-11-21T18:35:02.5+02:30"), At(1'795'277'102'500'000));
  EXPECT_EQ(*ParseTime("2026-11-21T15:05:02-01:00"), At(1'795'277'102'000'000));
  EXPECT_EQ(*ParseTime("2024-02-29T00:00:00.123456789012Z"),
            WallTime(std::chrono::nanoseconds(1'709'164'800'123'456'789)));
}

TEST(Times, RefuseWhatIsNone) {
  for (const char* text :
       {"", "2026", "2026-11-21", "2026-11-21T16:05:02", "2026-13-21T16:05:02Z",
        "2026-02-30T16:05:02Z", "2026-11-21T24:05:02Z", "2026-11-21T16:60:02Z",
        "2026-11-21T16:05:02.Z", "2026-11-21T16:05:02Zx", "2026-11-21T16:05:02+0100",
        "2026-11-21 16:05:02Z", "9999-11-21T16:05:02Z", "0001-01-01T00:00:00Z"}) {
    EXPECT_TRUE(Is(ParseTime(text).status(), ApiErrc::kBadAnswer)) << text;
  }
}

}  // namespace
}  // namespace etcd::kube
