#include "operator/plan/plan.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>

#include <fmt/format.h>
#include <openssl/evp.h>

#include "operator/plan/rules.h"
#include "server/base/check.h"

namespace etcd::plan {

// The rules in their order: the first that has something to do decides.
Step Decide(const Wanted& wanted, const Observed& observed) {
  const View view(wanted, observed);
  const Rules rules{wanted, observed, view};
  if (wanted.is_paused) return Wait{"Paused", {}};
  const bool is_latched = observed.cluster != ClusterId{};
  if (is_latched && view.has_other_cluster()) {
    return Wait{"ClusterIDMismatch", "a member answers for another cluster"};
  }
  if (auto step = rules.ClearFinishedPod()) return *step;
  if (auto step = rules.RestartPods()) return *step;
  if (!is_latched) return rules.Bootstrap();
  if (!view.is_quorate()) {
    if (auto step = rules.RestartUnnoted()) return *step;
    return Wait{"QuorumLost", fmt::format("{} members answer", observed.health.size())};
  }
  if (auto step = rules.ReportMismatch()) return *step;
  if (auto step = rules.MarkVanished()) return *step;
  if (auto step = rules.FinishMember()) return *step;
  if (auto step = rules.RemoveForeign()) return *step;
  // One that is in the way of growth is replaced first; one that must stay does not hold up growth.
  const std::optional<Step> replacement = rules.ReplaceUnwanted();
  if (replacement.has_value() && !std::holds_alternative<Wait>(*replacement)) return *replacement;
  if (auto step = rules.Grow()) return *step;
  if (auto step = rules.Shrink()) return *step;
  return replacement.value_or(Done{});
}

bool IsDisruptive(const Step& step) {
  return std::holds_alternative<AddLearner>(step) || std::holds_alternative<Promote>(step) ||
         std::holds_alternative<MoveLeader>(step) || std::holds_alternative<RemoveMember>(step) ||
         std::holds_alternative<DeletePod>(step) || std::holds_alternative<DeleteVolume>(step);
}

std::string_view NameOf(const Step& step) {
  constexpr std::string_view kNames[] = {
      "CreateRecord", "CreateVolume", "CreatePods",  "DeletePod",    "DeleteVolume", "DeleteRecord",
      "UpdateRecord", "SetVoterRole", "WithdrawPod", "LatchCluster", "AddLearner",   "Promote",
      "MoveLeader",   "RemoveMember", "Wait",        "Done"};
  static_assert(std::size(kNames) == std::variant_size_v<Step>);
  return kNames[step.index()];
}

std::string PeerUrl(const Wanted& wanted, const std::string& member) {
  return fmt::format("{}://{}{}", wanted.scheme, member, wanted.peer_url_suffix);
}

std::string MemberName(const Wanted& wanted, int slot, std::int64_t seq) {
  const std::string text = fmt::format("{}/{}", wanted.uid, seq);
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash{};
  CHECK(EVP_Digest(text.data(), text.size(), hash.data(), nullptr, EVP_sha256(), nullptr) == 1)
      << "no SHA-256";
  // Base32 (RFC 4648, lower case) of the first 25 bits.
  constexpr char kLetters[] = "abcdefghijklmnopqrstuvwxyz234567";
  const std::uint32_t bits = static_cast<std::uint32_t>(hash[0]) << 24 |
                             static_cast<std::uint32_t>(hash[1]) << 16 |
                             static_cast<std::uint32_t>(hash[2]) << 8 | hash[3];
  std::string suffix;
  for (int shift = 27; shift >= 7; shift -= 5) suffix += kLetters[(bits >> shift) & 31];
  return fmt::format("{}-{}-{}", wanted.cluster, slot, suffix);
}

}  // namespace etcd::plan
