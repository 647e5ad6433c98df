#include "server/base/errc.h"

#include <cstddef>
#include <set>
#include <string_view>

#include <gtest/gtest.h>

#include "server/base/status.h"

namespace etcd {
namespace {

TEST(Errc, EveryRowIsFoundAgainFromItsStatus) {
  for (std::size_t i = 0; i < static_cast<std::size_t>(Errc::kCount); ++i) {
    const auto errc = static_cast<Errc>(i);
    EXPECT_EQ(ErrcOf(Error(errc)), errc) << RowOf(errc).message;
    EXPECT_EQ(base::MessageOf(Error(errc)), RowOf(errc).message);
  }
}

TEST(Errc, TextsAreUnique) {
  std::set<std::string_view> texts;
  for (std::size_t i = 0; i < static_cast<std::size_t>(Errc::kCount); ++i) {
    EXPECT_TRUE(texts.insert(RowOf(static_cast<Errc>(i)).message).second);
  }
}

TEST(Errc, AStatusOfSomebodyElseHasNoRow) {
  EXPECT_EQ(ErrcOf(absl::InternalError("x")), std::nullopt);
}

}  // namespace
}  // namespace etcd
