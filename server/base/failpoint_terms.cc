#include "server/base/failpoint_terms.h"

#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <utility>

namespace etcd::base {
namespace {

using Kind = FailpointAction::Kind;

constexpr std::array<std::pair<std::string_view, Kind>, 6> kKinds = {{{"off", Kind::kOff},
                                                                      {"panic", Kind::kPanic},
                                                                      {"sleep", Kind::kSleep},
                                                                      {"return", Kind::kReturn},
                                                                      {"print", Kind::kPrint},
                                                                      {"break", Kind::kBreak}}};

bool Consume(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

// An unsigned number with an optional fraction, from the front of `text`.
std::optional<double> ConsumeNumber(std::string_view& text) {
  double value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (error != std::errc() || value < 0) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

// As Go's time.ParseDuration ("1.5s", "2m30s"); a number alone is milliseconds.
std::optional<std::chrono::nanoseconds> ParseSleep(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, double>, 6> kUnits = {
      {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}}};
  if (text.empty()) return std::nullopt;
  double total = 0;
  while (!text.empty()) {
    const std::optional<double> number = ConsumeNumber(text);
    if (!number) return std::nullopt;
    if (text.empty() && total == 0) {
      total = *number * 1e6;
      break;
    }
    double unit = 0;
    for (const auto& [name, nanos] : kUnits) {
      if (unit == 0 && Consume(text, name)) unit = nanos;
    }
    if (unit == 0) return std::nullopt;
    total += *number * unit;
  }
  return std::chrono::nanoseconds(std::llround(total));
}

// What stands between the parentheses; "" without any. False: no closing one, or no value.
bool ConsumeArgument(std::string_view& text, std::string& out) {
  if (!Consume(text, "(")) return true;
  if (Consume(text, "\"")) {
    const std::size_t end = text.find('"');
    if (end == std::string_view::npos) return false;
    out = text.substr(0, end);
    text.remove_prefix(end + 1);
    return Consume(text, ")");
  }
  const std::size_t end = text.find(')');
  if (end == std::string_view::npos) return false;
  out = text.substr(0, end);
  text.remove_prefix(end + 1);
  std::string_view rest = out;
  return out.empty() || out == "true" || out == "false" || (ConsumeNumber(rest) && rest.empty());
}

}  // namespace

std::optional<FailpointTerms> FailpointTerms::Parse(std::string_view text) {
  FailpointTerms out;
  out.text_ = text;
  do {
    std::optional<Term> term = ParseTerm(text);
    if (!term) return std::nullopt;
    out.terms_.push_back(*std::move(term));
  } while (Consume(text, "->"));
  if (!text.empty()) return std::nullopt;
  return out;
}

std::optional<FailpointTerms::Term> FailpointTerms::ParseTerm(std::string_view& text) {
  Term term;
  while (!text.empty() && (std::isdigit(static_cast<unsigned char>(text.front())) != 0)) {
    const std::optional<double> number = ConsumeNumber(text);
    if (!number) return std::nullopt;
    if (Consume(text, "%")) {
      term.percent = number;
    } else if (Consume(text, "*") && std::floor(*number) == *number) {
      term.left = static_cast<std::int64_t>(*number);
    } else {
      return std::nullopt;
    }
  }
  for (const auto& [name, kind] : kKinds) {
    if (!Consume(text, name)) continue;
    term.action.kind = kind;
    if (!ConsumeArgument(text, term.action.argument)) return std::nullopt;
    if (kind == Kind::kSleep) {
      const auto sleep = ParseSleep(term.action.argument);
      if (!sleep) return std::nullopt;
      term.action.sleep = *sleep;
    }
    return term;
  }
  return std::nullopt;
}

bool FailpointTerms::Allows(Term& term, Random& random) {
  if (term.left == 0) return false;
  constexpr double kScale = 1e6;
  if (term.percent && static_cast<double>(random.Below(static_cast<std::uint64_t>(100 * kScale))) >=
                          *term.percent * kScale) {
    return false;
  }
  if (term.left) --*term.left;
  return true;
}

FailpointAction FailpointTerms::Next(Random& random) {
  for (Term& term : terms_) {
    if (!Allows(term, random)) continue;
    if (term.action.kind != Kind::kOff) ++count_;
    return term.action;
  }
  return {};
}

}  // namespace etcd::base
