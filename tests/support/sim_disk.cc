#include "tests/support/sim_disk.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "server/base/check.h"
#include "server/base/random.h"
#include "server/base/status.h"

namespace etcd::testing {
namespace {

constexpr std::uint64_t kSector = 512;

std::vector<std::string> SplitPath(const std::string& path) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    const std::string part = path.substr(at, end - at);
    if (!part.empty() && part != ".") parts.push_back(part);
    at = end + 1;
  }
  return parts;
}

std::string LastPart(const std::string& path) {
  const auto parts = SplitPath(path);
  return parts.empty() ? std::string() : parts.back();
}

absl::Status Failure(absl::StatusCode code, const char* operation, const std::string& path,
                     const char* text) {
  return base::MakeStatus(code, std::string(operation) + " " + path + ": " + text);
}

absl::Status NotFound(const char* operation, const std::string& path) {
  return Failure(absl::StatusCode::kNotFound, operation, path, "no such file or directory");
}

}  // namespace

// A file or a directory.
struct SimDisk::Node {
  struct Range {
    std::uint64_t begin;
    std::uint64_t end;
  };
  // A change of this directory's names that no SyncDir has made durable. Null node: removed.
  struct NameChange {
    std::string name;
    NodePtr node;
    std::optional<std::string> also_removed;  // old name of a rename within the directory
  };

  bool is_dir = false;

  // Directory: as running processes see it, and as it is on the platter.
  std::map<std::string, NodePtr> entries;
  std::map<std::string, NodePtr> durable_entries;
  std::vector<NameChange> changes;

  // File: the same; `dirty` covers every byte that differs, beyond the shorter one's end included
  // where the longer one is not zero.
  std::string data;
  std::string durable;
  std::vector<Range> dirty;
  const void* lock_owner = nullptr;

  void MarkDirty(std::uint64_t begin, std::uint64_t end) {
    if (begin >= end) return;
    if (!dirty.empty() && dirty.back().end == begin) {
      dirty.back().end = end;
    } else {
      dirty.push_back({begin, end});
    }
  }

  void Resize(std::uint64_t size) {
    const std::uint64_t old = data.size();
    data.resize(size);
    // What lies beyond the end counts as zero on both sides.
    if (old < durable.size()) MarkDirty(old, std::min<std::uint64_t>(size, durable.size()));
    if (size < old) MarkDirty(size, old);
  }

  void MakeDurable() {
    durable.resize(data.size());
    for (const Range& range : dirty) {
      const std::uint64_t end = std::min<std::uint64_t>(range.end, data.size());
      if (range.begin >= end) continue;
      durable.replace(range.begin, end - range.begin, data, range.begin, end - range.begin);
    }
    dirty.clear();
  }

  static void Make(const NameChange& change, std::map<std::string, NodePtr>& names) {
    if (change.also_removed) names.erase(*change.also_removed);
    if (change.node == nullptr) {
      names.erase(change.name);
    } else {
      names[change.name] = change.node;
    }
  }

  void Change(const std::string& name, NodePtr node,
              std::optional<std::string> also_removed = std::nullopt) {
    changes.push_back({name, std::move(node), std::move(also_removed)});
    Make(changes.back(), entries);
  }

  // On the platter at once; also among the changes, since an earlier one may have removed the name.
  void AddDurable(const std::string& name, const NodePtr& node) {
    Change(name, node);
    durable_entries[name] = node;
  }

  NodePtr FindEntry(const std::string& name) const {
    const auto it = entries.find(name);
    return it == entries.end() ? nullptr : it->second;
  }

  // Change by change: a simulated log has thousands of segments and syncs its directory with each.
  void MakeNamesDurable() {
    for (const NameChange& change : changes) Make(change, durable_entries);
    changes.clear();
  }

  void CrashFile(Survival survival, base::Random& random);
  void CrashDir(Survival survival, base::Random& random);
  void Crash(Survival survival, base::Random& random) {
    lock_owner = nullptr;
    if (is_dir) {
      CrashDir(survival, random);
    } else {
      CrashFile(survival, random);
    }
  }
};

void SimDisk::Node::CrashFile(Survival survival, base::Random& random) {
  if (dirty.empty() && data.size() == durable.size()) return;  // most files of a large log
  if (survival == Survival::kEverything) return MakeDurable();
  if (survival == Survival::kSome) {
    const std::uint64_t size = random.Below(2) == 0 ? data.size() : durable.size();
    std::string survived = durable;
    survived.resize(std::max(data.size(), durable.size()));
    std::string wanted = data;
    wanted.resize(survived.size());
    for (const Range& range : dirty) {
      for (std::uint64_t at = range.begin;
           at < std::min<std::uint64_t>(range.end, wanted.size());) {
        const std::uint64_t end =
            std::min({range.end, wanted.size() + std::uint64_t{0}, (at / kSector + 1) * kSector});
        if (random.Below(2) == 0) survived.replace(at, end - at, wanted, at, end - at);
        at = end;
      }
    }
    survived.resize(size);
    durable = std::move(survived);
  }
  data = durable;
  dirty.clear();
}

void SimDisk::Node::CrashDir(Survival survival, base::Random& random) {
  std::size_t kept = 0;
  if (survival == Survival::kEverything) kept = changes.size();
  if (survival == Survival::kSome) kept = random.Below(changes.size() + 1);
  entries = durable_entries;
  const std::vector<NameChange> all = std::move(changes);
  for (std::size_t i = 0; i < kept; ++i) Change(all[i].name, all[i].node, all[i].also_removed);
  MakeNamesDurable();
  for (const auto& [name, node] : entries) node->Crash(survival, random);
}

class SimFile final : public base::File {
 public:
  SimFile(SimDisk& disk, SimDisk::NodePtr node, std::string path)
      : disk_(disk),
        node_(std::move(node)),
        path_(std::move(path)),
        generation_(disk.generation_) {}
  ~SimFile() override {
    if (node_->lock_owner == this) node_->lock_owner = nullptr;
  }

  absl::Status WriteAt(std::uint64_t offset, std::string_view data) override {
    RETURN_IF_ERROR(CheckAlive("write"));
    if (const absl::Status status = disk_.Begin(DiskOp::kWrite, path_); !status.ok()) {
      // What a failed write leaves behind is anybody's guess: here, its first half, ending with a
      // sector, since the page cache takes whole pages.
      const std::uint64_t half = (offset + data.size() / 2) / kSector * kSector;
      if (half > offset) Put(offset, data.substr(0, half - offset));
      return status;
    }
    const std::uint64_t end = offset + data.size();
    if (end > node_->data.size()) {
      RETURN_IF_ERROR(disk_.CheckRoom(end - node_->data.size(), path_));
    }
    Put(offset, data);
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> ReadAt(std::uint64_t offset, std::size_t size) const override {
    RETURN_IF_ERROR(CheckAlive("read"));
    RETURN_IF_ERROR(disk_.Begin(DiskOp::kRead, path_));
    if (offset >= node_->data.size()) return std::string();
    return node_->data.substr(offset, size);
  }

  absl::StatusOr<std::uint64_t> Size() const override {
    RETURN_IF_ERROR(CheckAlive("stat"));
    return node_->data.size();
  }

  absl::Status Truncate(std::uint64_t size) override {
    RETURN_IF_ERROR(CheckAlive("truncate"));
    RETURN_IF_ERROR(disk_.Begin(DiskOp::kTruncate, path_));
    node_->Resize(size);
    return absl::OkStatus();
  }

  absl::Status Preallocate(std::uint64_t size) override {
    RETURN_IF_ERROR(CheckAlive("fallocate"));
    RETURN_IF_ERROR(disk_.Begin(DiskOp::kPreallocate, path_));
    if (size <= node_->data.size()) return absl::OkStatus();
    RETURN_IF_ERROR(disk_.CheckRoom(size - node_->data.size(), path_));
    node_->Resize(size);
    return absl::OkStatus();
  }

  absl::Status Sync() override {
    RETURN_IF_ERROR(CheckAlive("fdatasync"));
    ++disk_.syncs_;
    if (disk_.sync_hook_) disk_.sync_hook_(path_);
    RETURN_IF_ERROR(disk_.Begin(DiskOp::kSync, path_));
    node_->MakeDurable();
    return absl::OkStatus();
  }

  absl::Status TryLock() override {
    RETURN_IF_ERROR(CheckAlive("lock"));
    if (node_->lock_owner != nullptr && node_->lock_owner != this) {
      return Failure(absl::StatusCode::kUnavailable, "lock", path_,
                     "resource temporarily unavailable");
    }
    node_->lock_owner = this;
    return absl::OkStatus();
  }

 private:
  absl::Status CheckAlive(const char* operation) const {
    if (generation_ == disk_.generation_) return absl::OkStatus();
    return Failure(absl::StatusCode::kInternal, operation, path_, "opened before the crash");
  }

  void Put(std::uint64_t offset, std::string_view data) {
    const std::uint64_t end = offset + data.size();
    if (end > node_->data.size()) node_->Resize(end);
    node_->data.replace(offset, data.size(), data);
    node_->MarkDirty(offset, end);
  }

  SimDisk& disk_;
  SimDisk::NodePtr node_;
  std::string path_;
  std::uint64_t generation_;
};

SimDisk::SimDisk() : SimDisk(Options()) {}

SimDisk::SimDisk(const Options& options) : options_(options), root_(std::make_shared<Node>()) {
  root_->is_dir = true;
}

SimDisk::~SimDisk() = default;

absl::Status SimDisk::Begin(DiskOp op, const std::string& path) {
  ++operations_;
  return fault_hook_ ? fault_hook_(op, path) : absl::OkStatus();
}

SimDisk::NodePtr SimDisk::Find(const std::string& path) const {
  NodePtr node = root_;
  for (const std::string& part : SplitPath(path)) {
    if (!node->is_dir) return nullptr;
    node = node->FindEntry(part);
    if (node == nullptr) return nullptr;
  }
  return node;
}

absl::StatusOr<SimDisk::NodePtr> SimDisk::FindParent(const std::string& path,
                                                     const char* operation) const {
  std::vector<std::string> parts = SplitPath(path);
  if (parts.empty()) return NotFound(operation, path);
  NodePtr node = root_;
  parts.pop_back();
  for (const std::string& part : parts) {
    node = node->FindEntry(part);
    if (node == nullptr || !node->is_dir) return NotFound(operation, path);
  }
  return node;
}

absl::StatusOr<std::unique_ptr<base::File>> SimDisk::Open(const std::string& path,
                                                          base::OpenMode mode,
                                                          std::uint32_t /*permissions*/) {
  RETURN_IF_ERROR(Begin(DiskOp::kOpen, path));
  ASSIGN_OR_RETURN(const NodePtr parent, FindParent(path, "open"));
  NodePtr node = Find(path);
  const bool creates =
      mode == base::OpenMode::kCreateExclusive || mode == base::OpenMode::kCreateOrTruncate;
  if (node != nullptr && node->is_dir) {
    return Failure(absl::StatusCode::kInternal, "open", path, "is a directory");
  }
  if (node != nullptr && mode == base::OpenMode::kCreateExclusive) {
    return Failure(absl::StatusCode::kAlreadyExists, "open", path, "file exists");
  }
  if (node == nullptr && !creates) return NotFound("open", path);
  if (node == nullptr) {
    node = std::make_shared<Node>();
    parent->Change(LastPart(path), node);
  } else if (mode == base::OpenMode::kCreateOrTruncate) {
    node->Resize(0);
  }
  return std::make_unique<SimFile>(*this, node, path);
}

absl::StatusOr<std::vector<std::string>> SimDisk::List(const std::string& dir) {
  const NodePtr node = Find(dir);
  if (node == nullptr || !node->is_dir) return NotFound("open", dir);
  std::vector<std::string> names;
  for (const auto& [name, child] : node->entries) names.push_back(name);
  return names;
}

bool SimDisk::Exists(const std::string& path) { return Find(path) != nullptr; }

absl::Status SimDisk::CreateDirs(const std::string& dir) {
  NodePtr node = root_;
  for (const std::string& part : SplitPath(dir)) {
    NodePtr child = node->FindEntry(part);
    if (child == nullptr) {
      child = std::make_shared<Node>();
      child->is_dir = true;
      node->AddDurable(part, child);
    }
    if (!child->is_dir) {
      return Failure(absl::StatusCode::kInternal, "mkdir", dir, "not a directory");
    }
    node = child;
  }
  return absl::OkStatus();
}

absl::Status SimDisk::Rename(const std::string& from, const std::string& to) {
  RETURN_IF_ERROR(Begin(DiskOp::kRename, from));
  ASSIGN_OR_RETURN(const NodePtr from_dir, FindParent(from, "rename"));
  ASSIGN_OR_RETURN(const NodePtr to_dir, FindParent(to, "rename"));
  const NodePtr node = Find(from);
  if (node == nullptr) return NotFound("rename", from);
  const NodePtr target = Find(to);
  if (target != nullptr && target->is_dir && !target->entries.empty()) {
    return Failure(absl::StatusCode::kInternal, "rename", from, "directory not empty");
  }
  if (from_dir == to_dir) {
    from_dir->Change(LastPart(to), node, LastPart(from));
  } else {
    to_dir->Change(LastPart(to), node);
    from_dir->Change(LastPart(from), nullptr);
  }
  return absl::OkStatus();
}

absl::Status SimDisk::Remove(const std::string& path) {
  RETURN_IF_ERROR(Begin(DiskOp::kRemove, path));
  ASSIGN_OR_RETURN(const NodePtr parent, FindParent(path, "remove"));
  if (Find(path) == nullptr) return NotFound("remove", path);
  parent->Change(LastPart(path), nullptr);
  return absl::OkStatus();
}

absl::Status SimDisk::RemoveAll(const std::string& path) {
  return Find(path) == nullptr ? absl::OkStatus() : Remove(path);
}

absl::Status SimDisk::SyncDir(const std::string& dir) {
  RETURN_IF_ERROR(Begin(DiskOp::kSyncDir, dir));
  const NodePtr node = Find(dir);
  if (node == nullptr || !node->is_dir) return NotFound("open", dir);
  node->MakeNamesDurable();
  return absl::OkStatus();
}

absl::StatusOr<std::uint64_t> SimDisk::FreeBytes(const std::string& /*path*/) {
  const std::uint64_t used = used_bytes();
  return used < options_.capacity_bytes ? options_.capacity_bytes - used : 0;
}

absl::Status SimDisk::CheckRoom(std::uint64_t growth, const std::string& path) const {
  if (options_.capacity_bytes == UINT64_MAX) return absl::OkStatus();
  const std::uint64_t used = used_bytes();
  if (used <= options_.capacity_bytes && growth <= options_.capacity_bytes - used) {
    return absl::OkStatus();
  }
  return Failure(absl::StatusCode::kResourceExhausted, "write", path, "no space left on device");
}

void SimDisk::Crash(std::uint64_t seed) {
  base::SeededRandom random(seed);
  const std::uint64_t draw = random.Below(8);
  const Survival survival = draw == 0   ? Survival::kNothing
                            : draw == 1 ? Survival::kEverything
                                        : Survival::kSome;
  CrashWith(survival, random.Next());
}

void SimDisk::CrashLosingAll() { CrashWith(Survival::kNothing, 0); }

void SimDisk::CrashWith(Survival survival, std::uint64_t seed) {
  ++generation_;
  base::SeededRandom random(seed);
  root_->Crash(survival, random);
}

void SimDisk::KillProcess() {
  ++generation_;
  std::vector<NodePtr> todo = {root_};
  while (!todo.empty()) {
    const NodePtr node = todo.back();
    todo.pop_back();
    node->lock_owner = nullptr;
    for (const auto& [name, child] : node->entries) todo.push_back(child);
  }
}

void SimDisk::SetFaultHook(FaultHook hook) { fault_hook_ = std::move(hook); }
void SimDisk::SetSyncHook(std::function<void(const std::string&)> hook) {
  sync_hook_ = std::move(hook);
}

std::uint64_t SimDisk::used_bytes() const {
  std::uint64_t used = 0;
  std::vector<NodePtr> todo = {root_};
  while (!todo.empty()) {
    const NodePtr node = todo.back();
    todo.pop_back();
    used += node->data.size();
    for (const auto& [name, child] : node->entries) todo.push_back(child);
  }
  return used;
}

std::string SimDisk::Contents(const std::string& path) const {
  const NodePtr node = Find(path);
  CHECK(node != nullptr && !node->is_dir) << path;
  return node->data;
}

void SimDisk::SetContents(const std::string& path, std::string bytes) {
  const auto parent = FindParent(path, "open");
  CHECK_OK(parent.status());
  NodePtr node = (*parent)->FindEntry(LastPart(path));
  if (node == nullptr) node = std::make_shared<Node>();
  (*parent)->AddDurable(LastPart(path), node);
  node->data = std::move(bytes);
  node->durable = node->data;
  node->dirty.clear();
}

void SimDisk::FlipBit(const std::string& path, std::uint64_t bit) {
  const NodePtr node = Find(path);
  CHECK(node != nullptr && bit / 8 < node->data.size()) << path << " bit " << bit;
  const auto mask = static_cast<char>(1U << (bit % 8));
  node->data[bit / 8] = static_cast<char>(node->data[bit / 8] ^ mask);
  if (bit / 8 < node->durable.size()) {
    node->durable[bit / 8] = static_cast<char>(node->durable[bit / 8] ^ mask);
  }
}

std::vector<std::string> SimDisk::AllFiles() const {
  std::vector<std::string> files;
  std::vector<std::pair<std::string, NodePtr>> todo = {{"", root_}};
  while (!todo.empty()) {
    const auto [path, node] = todo.back();
    todo.pop_back();
    if (!node->is_dir) files.push_back(path);
    for (const auto& [name, child] : node->entries) todo.emplace_back(path + "/" + name, child);
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace etcd::testing
