#include "server/watch/revision_encoder.h"

namespace etcd::watch {

const std::optional<base::Slice>& RevisionEncoder::Prev(std::uint32_t change) {
  auto [it, inserted] = prev_.try_emplace(change);
  if (inserted) it->second = prev_of_(revision_.changes[change]);
  return it->second;
}

void RevisionEncoder::Append(std::string& out, const std::vector<std::uint32_t>& hits,
                             bool with_prev) {
  for (const std::uint32_t i : hits) {
    std::optional<std::string_view> prev;
    if (with_prev) {
      if (const auto& slice = Prev(i)) prev = slice->bytes;
    }
    AppendEvent(out, revision_.changes[i], prev);
  }
}

const EventBlock& RevisionEncoder::Block(const std::vector<std::uint32_t>& hits, bool with_prev) {
  auto [it, inserted] = blocks_[with_prev ? 1 : 0].try_emplace(hits);
  if (inserted) {
    std::string bytes;
    Append(bytes, hits, with_prev);
    it->second = {base::Slice::Own(std::move(bytes)), static_cast<std::uint32_t>(hits.size())};
  }
  return it->second;
}

}  // namespace etcd::watch
