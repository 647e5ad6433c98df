#include <string>
#include <vector>

#include <fmt/format.h>

#include "etcdutl/command.h"
#include "etcdutl/export.h"
#include "etcdutl/restore.h"
#include "etcdutl/snapshot_status.h"
#include "etcdutl/status_text.h"
#include "server/base/log.h"
#include "server/base/status.h"
#include "server/config/version.h"

// The tool for files of stopped members.
namespace etcd::etcdutl {
namespace {

// "3.6.0" -> "3.6"
std::string MinorOf(const std::string& version) { return version.substr(0, version.rfind('.')); }

int FailWith(const absl::Status& status) {
  return Fail(kExitError, std::string(base::MessageOf(status)));
}

// Where each flag's value goes.
struct Options {
  std::string format = "simple";
  ExportOptions exporting;
  RestoreOptions restoring;
  std::uint64_t memory_map_bytes = 10ULL << 30;  // etcd's flag; nothing is mapped here
};

int Export(const ExportOptions& options) {
  const auto report = ExportDataDir(base::PosixFileSystem(), options);
  if (!report.ok()) return FailWith(report.status());
  fmt::print("Exported member {} to {}: database at index {}, log up to index {}\n",
             base::FormatHex(report->member_id.value()), options.output_dir, report->index.value(),
             report->last_index.value());
  if (!report->cluster_version.empty()) {
    fmt::print("The cluster version is {0}: start a Go etcd {0} on it\n",
               MinorOf(report->cluster_version));
  }
  fmt::print("Do not start the member on {} again once Go's etcd has been started on the copy\n",
             options.data_dir);
  return 0;
}

int Status(const std::string& format, const std::vector<std::string>& arguments) {
  if (arguments.size() != 1) {
    return Fail(kExitBadArguments, "snapshot status requires exactly one argument");
  }
  base::FileSystem& file_system = base::PosixFileSystem();
  if (!file_system.Exists(arguments[0])) {
    return Fail(kExitError, "stat " + arguments[0] + ": no such file or directory");
  }
  const auto status = ReadSnapshotStatus(file_system, arguments[0]);
  if (!status.ok()) return FailWith(status.status());
  if (format == "simple") fmt::print("{}", SimpleText(*status));
  if (format == "json") fmt::print("{}", JsonText(*status));
  if (format == "fields") fmt::print("{}", FieldsText(*status));
  if (format == "table") fmt::print("{}", TableText(*status));
  if (format == "protobuf") {
    return Fail(kExitBadFormat, "protobuf not supported as output format");
  }
  const bool is_known =
      format == "simple" || format == "json" || format == "fields" || format == "table";
  return is_known ? 0 : Fail(kExitBadFormat, "unsupported output format");
}

int Restore(RestoreOptions& options, const std::vector<std::string>& arguments) {
  if (arguments.size() != 1) {
    return Fail(kExitBadArguments, "snapshot restore requires exactly one argument");
  }
  if (options.mark_compacted != (options.bump_revision > 0)) {
    return Fail(kExitBadArguments, "--mark-compacted required if --revision-bump > 0");
  }
  options.snapshot_path = arguments[0];
  const auto report = RestoreSnapshot(base::PosixFileSystem(), options);
  if (absl::IsNotFound(report.status())) {
    return Fail(kExitError, "open " + arguments[0] + ": no such file or directory");
  }
  if (!report.ok()) return FailWith(report.status());
  if (report->auth_enabled) {
    LOG_WARN(
        "authentication is enabled in the restored data, and this server does not check "
        "permissions yet: everybody who reaches it may read and write");
  }
  return 0;
}

Command RestoreCommand(RestoreOptions& options, std::uint64_t& memory_map_bytes) {
  Command command{.name = "restore",
                  .arguments = "<filename> --data-dir {output dir} [options]",
                  .help = "Restores an etcd member snapshot to an etcd directory"};
  command.flags = {
      {"bump-revision", "How much to increase the latest revision after restore",
       &options.bump_revision},
      {"data-dir", "Path to the output data directory", &options.data_dir},
      {"initial-advertise-peer-urls",
       "List of this member's peer URLs to advertise to the rest of the cluster",
       &options.initial_advertise_peer_urls},
      {"initial-cluster", "Initial cluster configuration for restore bootstrap",
       &options.initial_cluster},
      {"initial-cluster-token",
       "Initial cluster token for the etcd cluster during restore bootstrap",
       &options.initial_cluster_token},
      {"initial-memory-map-size",
       "Initial memory map size of the database in bytes. It uses the default value if not "
       "defined or defined to 0",
       &memory_map_bytes},
      {"mark-compacted",
       "Mark the latest revision after restore as the point of scheduled compaction (required if "
       "--bump-revision > 0, disallowed otherwise)",
       &options.mark_compacted},
      {"name", "Human-readable name for this member", &options.name},
      {"skip-hash-check",
       "Ignore snapshot integrity hash value (required if copied from data directory)",
       &options.skip_hash_check},
      {"wal-dir", "Path to the WAL directory (use --data-dir if none given)", &options.wal_dir},
  };
  command.run = [&options](const auto& arguments) { return Restore(options, arguments); };
  return command;
}

Command SnapshotCommand(Options& options) {
  Command status{.name = "status",
                 .arguments = "<filename>",
                 .help = "Gets backend snapshot status of a given file"};
  status.run = [&options](const auto& arguments) { return Status(options.format, arguments); };
  Command command{.name = "snapshot", .help = "Manages etcd node snapshots"};
  command.commands = {RestoreCommand(options.restoring, options.memory_map_bytes), status};
  return command;
}

Command ExportCommand(ExportOptions& options) {
  Command command{.name = "export",
                  .help = "Writes a stopped member's data so that Go's etcd goes on with it"};
  command.flags = {
      {"data-dir", "Data directory of the member", &options.data_dir, '\0', true},
      {"output-dir", "New data directory for Go's etcd; must not exist or be empty",
       &options.output_dir, '\0', true},
      {"wal-dir", "Its --wal-dir, if it has one", &options.wal_dir},
  };
  command.run = [&options](const auto&) { return Export(options); };
  return command;
}

Command Root(Options& options) {
  Command version{.name = "version", .help = "Prints the version of etcdutl"};
  version.run = [](const auto&) {
    fmt::print("etcdutl version: {}\nAPI version: {}\n", config::kEtcdVersion,
               MinorOf(std::string(config::kEtcdVersion)));
    return 0;
  };
  Command root{.name = "etcdutl"};
  root.flags = {{"write-out", "set the output format (fields, json, protobuf, simple, table)",
                 &options.format, 'w'}};
  root.commands = {ExportCommand(options.exporting), SnapshotCommand(options), version};
  return root;
}

}  // namespace
}  // namespace etcd::etcdutl

int main(int argc, char** argv) {
  etcd::base::SetLogLevel(etcd::base::LogLevel::kWarn);
  etcd::etcdutl::Options options;
  const etcd::etcdutl::Command root = etcd::etcdutl::Root(options);
  return etcd::etcdutl::RunCommand(root, {argv + 1, argv + argc});
}
