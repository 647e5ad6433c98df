#include "operator/worker/worker_main.h"

#include <charconv>
#include <cstdio>
#include <functional>
#include <string>
#include <string_view>
#include <thread>

#include "operator/worker/backup_worker.h"
#include "operator/worker/restore_worker.h"
#include "server/base/log.h"
#include "server/base/status.h"

namespace etcd::worker {
namespace {

constexpr char kUsage[] =
    "write it as --stage snapshot|verify|store, --scratch DIR, --volume DIR, --keys DIR, --ca DIR, "
    "--report FILE, --read-back-max BYTES";

struct Command {
  std::string order{};
  std::string report{"/dev/termination-log"};
  std::string stage{};  // empty: all of them
  std::string read_back_max{};
};

// False when an argument is not understood.
bool ReadArguments(int argc, char** argv, Command& command, Place& place) {
  for (int i = 2; i < argc; ++i) {
    const std::string_view flag = argv[i];
    if (!flag.starts_with("--")) {
      command.order = flag;
      continue;
    }
    std::string* const target = flag == "--scratch"         ? &place.scratch
                                : flag == "--volume"        ? &place.volume
                                : flag == "--keys"          ? &place.keys
                                : flag == "--ca"            ? &place.ca
                                : flag == "--report"        ? &command.report
                                : flag == "--stage"         ? &command.stage
                                : flag == "--read-back-max" ? &command.read_back_max
                                                            : nullptr;
    if (target == nullptr || ++i == argc) {
      std::fprintf(stderr, "%s is not understood; %s\n", argv[i < argc ? i : i - 1], kUsage);
      return false;
    }
    *target = argv[i];
  }
  const std::string& max = command.read_back_max;
  if (max.empty()) return true;
  const char* const end = max.data() + max.size();
  return std::from_chars(max.data(), end, place.read_back_max).ptr == end;
}

void WriteOut(const std::string& path, const std::string& report) {
  // No rename and no sync: it is a file that the kubelet made.
  std::FILE* const file = std::fopen(path.c_str(), "w");
  if (file == nullptr) {
    LOG_ERROR("the report cannot be written", {"path", path});
    return;
  }
  std::fwrite(report.data(), 1, report.size(), file);
  std::fclose(file);
}

int Run(int argc, char** argv,
        const std::function<backup::Report(const Command& command, const Place& place)>& work) {
  const base::SystemClock clock;
  Place place{
      .files = base::PosixFileSystem(), .clock = clock, .sleep = [](std::chrono::nanoseconds wait) {
        std::this_thread::sleep_for(wait);
        return true;
      }};
  Command command;
  if (!ReadArguments(argc, argv, command, place)) return 2;
  const backup::Report report = work(command, place);
  if (!report.is_ok) {
    LOG_ERROR("the work failed", {"reason", report.reason}, {"error", report.message});
  }
  WriteOut(command.report, backup::WriteReport(report));
  return report.is_ok ? 0 : 1;
}

backup::Report BadOrder(const absl::Status& status) {
  return {
      .reason = "InvalidOrder", .message = std::string(base::MessageOf(status)), .is_final = true};
}

}  // namespace

int BackupWorkerMain(int argc, char** argv) {
  return Run(argc, argv, [](const Command& command, const Place& place) {
    const auto order = backup::ParseOrder(command.order);
    if (!order.ok()) return BadOrder(order.status());
    if (order->kind == backup::OrderKind::kDelete) return DeleteBackup(*order, place);
    if (command.stage.empty()) return TakeBackup(*order, place);
    const auto stage = backup::ParseStage(command.stage);
    if (stage) return RunStage(*order, place, *stage);
    return BadOrder(base::MakeStatus(absl::StatusCode::kInvalidArgument, kUsage));
  });
}

int RestoreWorkerMain(int argc, char** argv) {
  return Run(argc, argv, [](const Command& command, const Place& place) {
    const auto order = backup::ParseRestoreOrder(command.order);
    if (!order.ok()) return BadOrder(order.status());
    return order->is_trial ? TryRestore(*order, place) : RestoreMember(*order, place);
  });
}

}  // namespace etcd::worker
