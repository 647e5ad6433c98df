#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/random.h"

// What a failpoint is set to, in gofail's notation:
//   terms = term { "->" term }      term = { modifier } action
//   modifier = N "*"  (the first N hits)  |  P "%"  (with a probability of P percent)
//   action = "off" | "panic" | "sleep" | "return" | "print" | "break", each with an optional
//            argument in parentheses: "text", a number, true or false
// A hit does the first term whose modifiers allow it.
namespace etcd::base {

struct FailpointAction {
  enum class Kind : std::uint8_t { kOff, kPanic, kSleep, kReturn, kPrint, kBreak };
  Kind kind = Kind::kOff;
  std::string argument;               // without quotes
  std::chrono::nanoseconds sleep{0};  // of kSleep
};

class FailpointTerms {
 public:
  // nullopt: not in that notation.
  static std::optional<FailpointTerms> Parse(std::string_view text);

  // What this hit does; counts it. kOff when no term allows it.
  FailpointAction Next(Random& random);

  // As it was given.
  const std::string& text() const { return text_; }
  // Hits that did something (gofail's "/name/count").
  std::int64_t count() const { return count_; }

 private:
  struct Term {
    std::optional<std::int64_t> left;  // hits that it still allows
    std::optional<double> percent;
    FailpointAction action;
  };
  static std::optional<Term> ParseTerm(std::string_view& text);
  static bool Allows(Term& term, Random& random);

  std::string text_;
  std::vector<Term> terms_;
  std::int64_t count_ = 0;
};

}  // namespace etcd::base
