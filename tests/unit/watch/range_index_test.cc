#include "server/watch/range_index.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "server/base/random.h"

namespace etcd::watch {
namespace {

const std::string kToTheEnd(1, '\0');

struct Item final : RangeItem {
  WatchRange range;
};

std::vector<RangeItem*> Stabbed(const RangeIndex& index, std::string_view key) {
  std::vector<RangeItem*> found;
  index.Stab(key, [&](RangeItem* item) { found.push_back(item); });
  std::ranges::sort(found);
  return found;
}

bool Holds(const WatchRange& range, std::string_view key) {
  if (range.IsExact()) return key == range.begin;
  return key >= range.begin && (range.IsOpenEnded() || key < range.end);
}

TEST(RangeIndex, FindsExactKeysPrefixesAndOpenEnds) {
  Item exact;
  exact.range = {"b", ""};
  Item prefix;
  prefix.range = {"a", "c"};
  Item open;
  open.range = {"b", kToTheEnd};
  RangeIndex index;
  for (Item* item : {&exact, &prefix, &open}) index.Add(item->range, item);
  EXPECT_EQ(Stabbed(index, "b").size(), 3u);
  EXPECT_EQ(Stabbed(index, "a"), std::vector<RangeItem*>{&prefix});
  EXPECT_EQ(Stabbed(index, "ba").size(), 2u);
  EXPECT_EQ(Stabbed(index, "c"), std::vector<RangeItem*>{&open});
  EXPECT_TRUE(Stabbed(index, "").empty());
  for (Item* item : {&exact, &prefix, &open}) index.Remove(item->range, item);
  EXPECT_TRUE(index.empty());
}

TEST(RangeIndex, ItemsOfTheSameRangeStandTogether) {
  Item a, b;
  a.range = b.range = {"a", "b"};
  RangeIndex index;
  index.Add(a.range, &a);
  index.Add(b.range, &b);
  ASSERT_NE(index.Find({"a", "b"}), nullptr);
  EXPECT_EQ(index.Find({"a", "b"})->size(), 2u);
  index.Remove(a.range, &a);
  EXPECT_EQ(Stabbed(index, "a"), std::vector<RangeItem*>{&b});
  EXPECT_EQ(index.Find({"a", "c"}), nullptr);
  EXPECT_EQ(index.Find({"a", ""}), nullptr);
}

TEST(RangeIndex, AgreesWithASearchThroughEverything) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    base::SeededRandom random(seed);
    const auto random_key = [&] {
      std::string key;
      for (auto n = 1 + random.Below(3); n > 0; --n) {
        key.push_back(static_cast<char>('a' + random.Below(4)));
      }
      return key;
    };
    RangeIndex index;
    std::vector<std::unique_ptr<Item>> items;
    for (int step = 0; step < 1500; ++step) {
      if (random.Below(3) != 0 || items.empty()) {
        auto item = std::make_unique<Item>();
        item->range.begin = random_key();
        switch (random.Below(3)) {
          case 0:
            break;
          case 1:
            item->range.end = kToTheEnd;
            break;
          default:
            item->range.end = random_key();
            if (item->range.end <= item->range.begin) item->range.end = item->range.begin + "~";
        }
        index.Add(item->range, item.get());
        items.push_back(std::move(item));
      } else {
        const std::size_t victim = random.Below(items.size());
        index.Remove(items[victim]->range, items[victim].get());
        items.erase(items.begin() + static_cast<std::ptrdiff_t>(victim));
      }
      const std::string key = random_key();
      std::vector<RangeItem*> expected;
      for (const auto& item : items) {
        if (Holds(item->range, key)) expected.push_back(item.get());
      }
      std::ranges::sort(expected);
      ASSERT_EQ(Stabbed(index, key), expected) << "seed " << seed << " step " << step;
    }
    while (!items.empty()) {
      index.Remove(items.back()->range, items.back().get());
      items.pop_back();
    }
    EXPECT_TRUE(index.empty());
  }
}

}  // namespace
}  // namespace etcd::watch
