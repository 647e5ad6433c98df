#include <string>

#include <fmt/format.h>

#include "server/config/flag_value.h"
#include "server/config/parse.h"

namespace etcd::config {
namespace {

constexpr std::string_view TitleOf(Group group) {
  switch (group) {
    case Group::kMember:
      return "Member";
    case Group::kClustering:
      return "Clustering";
    case Group::kSecurity:
      return "Security";
    case Group::kAuth:
      return "Auth";
    case Group::kLogging:
      return "Profiling and logging";
    case Group::kMetrics:
      return "Metrics";
    case Group::kTracing:
      return "Distributed tracing";
    case Group::kCorruption:
      return "Corruption checks";
    case Group::kUnsafe:
      return "Unsafe";
    case Group::kExperimental:
      return "Old names";
    case Group::kIgnored:
      break;
  }
  return "";
}

std::string HelpOf(const FlagRow& row) {
  std::string help(row.help);
  if (!row.alias_of.empty()) help = fmt::format("Old name of --{}.", row.alias_of);
  if (row.gate != Gate::kCount) {
    help = fmt::format("Old name of --feature-gates={}=true.", RowOf(row.gate).name);
  }
  if (row.support == Support::kMissing) help += " (Not in this version yet.)";
  return fmt::format("  --{} '{}'\n    {}\n", row.name, FlagText(row, Config()), help);
}

}  // namespace

std::string UsageText() {
  return "Usage:\n\n  etcd [flags]\n    Start a server.\n\n  etcd --config-file FILE\n    Start a "
         "server with the settings of a YAML file alone.\n\n  etcd --version\n    Print the "
         "version.\n\n  etcd --help\n    Print this and all flags.\n\nEvery flag can be given as "
         "environment variable: --listen-client-urls is\nETCD_LISTEN_CLIENT_URLS. Giving both is "
         "an error.\n";
}

std::string HelpText() {
  std::string text;
  for (int i = 0; i < static_cast<int>(Group::kIgnored); ++i) {
    const auto group = static_cast<Group>(i);
    text += fmt::format("{}{}:\n", i == 0 ? "" : "\n", TitleOf(group));
    for (const FlagRow& row : FlagRows()) {
      if (row.group == group) text += HelpOf(row);
    }
  }
  return text;
}

}  // namespace etcd::config
