#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

#include "operator/model/group.h"

namespace etcd::model {

template <std::size_t kSize>
struct GroupWord {
  // Implicit: a string literal is to be the template's argument.
  consteval GroupWord(const char (&word)[kSize]) { std::copy_n(word, kSize, text); }  // NOLINT
  char text[kSize] = {};
};

template <GroupWord kWord>
struct GroupText {
  static constexpr std::size_t kSize = kGroup.size() + sizeof kWord.text;  // "/" for the zero byte
  static constexpr std::array<char, kSize> kText = [] {
    std::array<char, kSize> out = {};
    char* const end = std::copy(kGroup.begin(), kGroup.end(), out.data());
    *end = '/';
    std::copy_n(kWord.text, sizeof kWord.text - 1, end + 1);
    return out;
  }();
};

// "<group>/word": how labels, annotations and finalizers of ours are called.
template <GroupWord kWord>
inline constexpr std::string_view kInGroup{GroupText<kWord>::kText.data(), GroupText<kWord>::kSize};

}  // namespace etcd::model
