#include "server/api/v3/downgrade.h"

#include <charconv>
#include <cstdint>
#include <utility>

#include "server/api/v3/wire.h"
#include "server/base/bytes.h"
#include "server/base/status.h"

namespace etcd::api::v3 {
namespace {

enum class Action : std::uint64_t { kValidate = 0, kEnable = 1, kCancel = 2 };

struct Args {
  Action action = Action::kValidate;
  std::string target;
};

// Consumes digits; nullopt-like false when there are none.
bool TakeNumber(std::string_view& text, std::uint32_t& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

bool TakeDot(std::string_view& text) {
  if (!text.starts_with('.')) return false;
  text.remove_prefix(1);
  return true;
}

// "3.6.0" -> "3.6".
std::string Short(const std::string& version) { return version.substr(0, version.rfind('.')); }

// The version one minor below, in full: the only one that a cluster may go to.
std::string Below(std::string_view cluster_version) {
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
  const bool read = TakeNumber(cluster_version, major) && TakeDot(cluster_version) &&
                    TakeNumber(cluster_version, minor);
  if (!read || minor == 0) return "";
  return std::to_string(major) + "." + std::to_string(minor - 1) + ".0";
}

absl::Status CheckTarget(const Core& core, const std::string& target) {
  if (target != Below(core.node().ClusterVersion())) return Error(Errc::kInvalidDowngradeTarget);
  return core.node().Downgrade().enabled ? Error(Errc::kDowngradeInProcess) : absl::OkStatus();
}

// DowngradeResponse: 1 header, 2 version (the cluster's, "3.6").
base::Body Answer(const Core& core, const std::string& cluster_version) {
  std::string out;
  core.AppendHeader(out, core.store().current_revision());
  base::AppendBytesField(out, 2, Short(cluster_version));
  return base::Body(base::Rope(std::move(out)));
}

// DowngradeInfoSetRequest: 1 enabled, 2 ver.
std::string EncodeInfo(const Args& args) {
  std::string out;
  if (args.action == Action::kCancel) return out;
  base::AppendVarintField(out, 1, 1);
  base::AppendBytesField(out, 2, args.target);
  return out;
}

void Propose(const Core& core, const Args& args, const base::CallContextPtr& context,
             base::UnaryDone done) {
  core.ProposeRaw(
      LogField::kDowngradeInfoSet, EncodeInfo(args), context,
      [&core, action = args.action, done = std::move(done)](const apply::Result& result) mutable {
        // A cancel that got no answer is no error: etcd's client would have to ask
        // again anyway, and the leader cancels by itself.
        if (!result.status.ok() && action != Action::kCancel) {
          return done(result.status);
        }
        done(Answer(core, core.node().ClusterVersion()));
      });
}

// VALIDATE and ENABLE look at the state behind a read index.
void CheckAndGo(const Core& core, Args args, const base::CallContextPtr& context,
                base::UnaryDone done) {
  const std::string version = core.node().ClusterVersion();
  if (version.empty()) return done(Error(Errc::kClusterVersionUnavailable));
  core.AfterReadIndex(context, [&core, args = std::move(args), context, version,
                                done = std::move(done)](absl::Status status) mutable {
    if (status.ok()) status = CheckTarget(core, args.target);
    if (!status.ok()) return done(std::move(status));
    if (args.action == Action::kValidate) return done(Answer(core, version));
    Propose(core, args, context, std::move(done));
  });
}

}  // namespace

absl::StatusOr<std::string> ParseDowngradeTarget(std::string_view version) {
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
  std::uint32_t patch = 0;
  absl::Status wrong = Error(Errc::kWrongDowngradeVersionFormat);
  if (!TakeNumber(version, major) || !TakeDot(version) || !TakeNumber(version, minor)) return wrong;
  const bool has_patch = TakeDot(version);
  if (has_patch && !TakeNumber(version, patch)) return wrong;
  const bool has_suffix = has_patch && (version.starts_with('-') || version.starts_with('+'));
  if (!version.empty() && !has_suffix) return wrong;
  return std::to_string(major) + "." + std::to_string(minor) + ".0";
}

void Downgrade(const Core& core, const base::CallContextPtr& context, std::string_view request,
               base::UnaryDone done) {
  Args args;
  std::string version;
  WireReader reader(request);
  for (WireField field; reader.Next(field);) {
    if (field.IsVarint(1)) args.action = static_cast<Action>(field.varint);
    if (field.IsBytes(2)) version = field.bytes;
  }
  if (!reader.ok()) return done(MalformedRequest());
  if (args.action == Action::kCancel) return Propose(core, args, context, std::move(done));
  if (args.action != Action::kValidate && args.action != Action::kEnable) {
    return done(Error(Errc::kUnknownMethod));
  }
  auto target = ParseDowngradeTarget(version);
  if (!target.ok()) return done(target.status());
  args.target = *std::move(target);
  CheckAndGo(core, std::move(args), context, std::move(done));
}

}  // namespace etcd::api::v3
