#include <cstdio>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "etcdutl/export.h"
#include "server/base/log.h"
#include "server/base/status.h"
#include "server/config/version.h"

// The tool for files of stopped members.
namespace etcd::etcdutl {
namespace {

// "3.6.0" -> "3.6"
std::string MinorOf(const std::string& version) { return version.substr(0, version.rfind('.')); }

int Export(const ExportOptions& options) {
  const auto report = ExportDataDir(base::PosixFileSystem(), options);
  if (!report.ok()) {
    fmt::print(stderr, "Error: {}\n", base::MessageOf(report.status()));
    return 1;
  }
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

int Main(int argc, char** argv) {
  CLI::App app("Works on the files of an etcd member that does not run");
  app.require_subcommand(1);

  ExportOptions options;
  CLI::App* exporting = app.add_subcommand(
      "export", "Writes a stopped member's data so that Go's etcd goes on with it");
  exporting->add_option("--data-dir", options.data_dir, "Data directory of the member")->required();
  exporting->add_option("--wal-dir", options.wal_dir, "Its --wal-dir, if it has one");
  exporting
      ->add_option("--output-dir", options.output_dir,
                   "New data directory for Go's etcd; must not exist or be empty")
      ->required();
  CLI::App* version = app.add_subcommand("version", "Prints the version");

  CLI11_PARSE(app, argc, argv);
  if (version->parsed()) {
    fmt::print("etcdutl version: {}\nAPI version: {}\n", config::kEtcdVersion,
               MinorOf(std::string(config::kEtcdVersion)));
    return 0;
  }
  return Export(options);
}

}  // namespace
}  // namespace etcd::etcdutl

int main(int argc, char** argv) {
  etcd::base::SetLogLevel(etcd::base::LogLevel::kWarn);
  return etcd::etcdutl::Main(argc, argv);
}
