#include "operator/kube/correlator.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace etcd::kube {
namespace {

// client-go's figures, which users know.
constexpr std::chrono::minutes kSeriesEnd{6};
constexpr std::chrono::minutes kRefresh{30};
constexpr std::size_t kSeriesMax = 4096;
constexpr std::size_t kNoteBytesMax = 1024;
constexpr std::size_t kWordBytesMax = 128;
constexpr std::size_t kNameBytesMax = 253;

// At most `size` bytes, not ending within a character.
std::string_view Cut(std::string_view text, std::size_t size) {
  if (text.size() <= size) return text;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) --size;
  return text.substr(0, size);
}

Json JsonOf(const Reference& reference) {
  return {{"apiVersion", reference.api_version},
          {"kind", reference.kind},
          {"namespace", reference.ns},
          {"name", reference.name},
          {"uid", reference.uid}};
}

}  // namespace

Reference ReferenceTo(const Object& object) {
  return {std::string(TextAt(object.json(), {"apiVersion"})),
          std::string(TextAt(object.json(), {"kind"})), object.ns(), object.name(),
          std::string(object.uid())};
}

std::string Correlator::Body(const ObjectKey& key, WallTime wall_now, const EventText& text) const {
  Json body = {{"apiVersion", "events.k8s.io/v1"},
               {"kind", "Event"},
               {"metadata", {{"namespace", key.ns}, {"name", key.name}}},
               {"eventTime", FormatMicroTime(wall_now)},
               {"reportingController", options_.controller},
               {"reportingInstance", Cut(options_.instance, kWordBytesMax)},
               {"action", Cut(text.action, kWordBytesMax)},
               {"reason", Cut(text.reason, kWordBytesMax)},
               {"regarding", JsonOf(text.regarding)},
               {"note", Cut(text.note, kNoteBytesMax)},
               {"type", text.is_warning ? "Warning" : "Normal"}};
  if (text.related.has_value()) body["related"] = JsonOf(*text.related);
  return DumpJson(body);
}

Correlator::Write Correlator::PatchOf(Series& series, Time now) {
  series.written = now;
  series.written_count = series.count;
  const Json patch = {
      {"series",
       {{"count", series.count}, {"lastObservedTime", FormatMicroTime(series.last_wall)}}}};
  return {true, series.key, DumpJson(patch)};
}

std::optional<Correlator::Write> Correlator::OnEvent(Time now, WallTime wall_now,
                                                     const EventText& text) {
  const Key key(text.regarding.uid, text.regarding.ns + "/" + text.regarding.name, text.action,
                text.reason, text.note);
  const auto found = series_.find(key);
  if (found != series_.end() && now - found->second.last < kSeriesEnd) {
    Series& series = found->second;
    ++series.count;
    series.last = now;
    series.last_wall = wall_now;
    const bool is_first_repetition = series.count == 2;
    if (!is_first_repetition && now - series.written < kRefresh) return std::nullopt;
    return PatchOf(series, now);
  }
  if (series_.size() >= kSeriesMax && found == series_.end()) {
    series_.erase(
        std::ranges::min_element(series_, {}, [](const auto& entry) { return entry.second.last; }));
  }
  const auto unix_ns = std::chrono::nanoseconds(wall_now.time_since_epoch()).count();
  const std::string suffix = fmt::format(".{:x}", static_cast<std::uint64_t>(unix_ns));
  // Objects without a namespace have their events in "default".
  const ObjectKey name{
      text.regarding.ns.empty() ? "default" : text.regarding.ns,
      std::string(Cut(text.regarding.name, kNameBytesMax - suffix.size())) + suffix};
  series_[key] = {.key = name, .last_wall = wall_now, .last = now, .written = now};
  return Write{false, name, Body(name, wall_now, text)};
}

std::vector<Correlator::Write> Correlator::OnTick(Time now) {
  std::vector<Write> writes;
  for (auto at = series_.begin(); at != series_.end();) {
    Series& series = at->second;
    if (now - series.last < kSeriesEnd) {
      ++at;
      continue;
    }
    if (series.count != series.written_count) writes.push_back(PatchOf(series, now));
    at = series_.erase(at);
  }
  return writes;
}

}  // namespace etcd::kube
