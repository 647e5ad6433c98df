#include "server/rafthttp/version_text.h"

#include <charconv>

namespace etcd::rafthttp {
namespace {

// Takes digits off the front.
bool TakeNumber(std::string_view& text, std::uint64_t& number) {
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || text.front() < '0' || text.front() > '9') return false;
  text.remove_prefix(static_cast<std::size_t>(rest - text.data()));
  return true;
}

bool TakeDot(std::string_view& text) {
  if (!text.starts_with('.')) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

std::optional<Version> ParseVersion(std::string_view text) {
  Version version;
  std::uint64_t patch = 0;
  const bool good = !text.empty() && TakeNumber(text, version.major) && TakeDot(text) &&
                    !text.empty() && TakeNumber(text, version.minor) && TakeDot(text) &&
                    !text.empty() && TakeNumber(text, patch);
  if (!good || (!text.empty() && text[0] != '-' && text[0] != '+')) return std::nullopt;
  return version;
}

}  // namespace etcd::rafthttp
