#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/raft/cluster.h"
#include "tests/unit/raft/describe.h"

// Runs scripts/*.txt: a line "> command" is executed, the lines up to the next one must equal its
// output. RAFT_SCRIPTS_REWRITE=1 writes the outputs into the files instead: read the difference
// before believing it.
namespace etcd::raft {
namespace {

using testing::IsEmpty;

class Script {
 public:
  // The output of one command line.
  std::string Run(const std::string& line) {
    std::istringstream in(line);
    std::string verb;
    in >> verb;
    out_.str("");
    if (verb == "cluster") {
      MakeCluster(in);
    } else if (const auto it = commands_.find(verb); it != commands_.end()) {
      std::uint64_t id = 0;
      in >> id;
      it->second(id, in);
    } else {
      out_ << "unknown command\n";
    }
    if (cluster_) CheckAll();
    return out_.str();
  }

 private:
  using Command = std::function<void(std::uint64_t id, std::istringstream& rest)>;

  static std::string Rest(std::istringstream& in) {
    std::string text;
    std::getline(in >> std::ws, text);
    return text;
  }
  static std::uint64_t Number(std::istringstream& in, std::uint64_t fallback) {
    std::uint64_t n = 0;
    return in >> n ? n : fallback;
  }

  // cluster <voters> [learners=<n>] [plain]: plain is without pre-vote and check-quorum
  void MakeCluster(std::istringstream& in) {
    ClusterOptions options;
    options.voters = Number(in, 3);
    for (std::string word; in >> word;) {
      if (word == "plain") options.config.pre_vote = options.config.check_quorum = false;
      if (word.starts_with("learners=")) options.learners = std::stoull(word.substr(9));
    }
    cluster_ = std::make_unique<Cluster>(options);
    cluster_->on_delivery = [this](const Message& m) { out_ << "  " << Describe(m) << '\n'; };
  }

  void CheckAll() {
    for (const auto& [id, member] : cluster_->members()) {
      if (member->alive()) cluster_->Check(*member);
    }
    for (const std::string& what : cluster_->invariants().violations()) {
      out_ << "VIOLATION: " << what << '\n';
    }
  }

  TestMember& At(std::uint64_t id) { return (*cluster_)[id]; }

  void Take(std::uint64_t id) {
    if (!At(id).Take()) {
      out_ << "  nothing\n";
      return;
    }
    out_ << Describe(At(id).last_taken());
    cluster_->Collect();
  }

  // Everything on this member, nothing on the network.
  void Work(std::uint64_t id) {
    TestMember& member = At(id);
    while (true) {
      if (member.Take()) {
        out_ << Describe(member.last_taken());
      } else if (!member.Persist() && !member.Apply()) {
        break;
      }
    }
    cluster_->Collect();
  }

  void DeliverTo(std::uint64_t id) {
    for (std::size_t i = 0; i < cluster_->flying.size();) {
      if (cluster_->flying[i].to == MemberId(id)) {
        cluster_->Deliver(i);
      } else {
        ++i;
      }
    }
  }

  void TickElection(std::uint64_t id) {
    Core& core = At(id).core();
    const auto before = std::pair(core.role(), core.term());
    for (int i = 0; i < 100 && before == std::pair(core.role(), core.term()); ++i) core.Tick();
    out_ << "  " << Describe(SoftState{core.leader(), core.role()}) << '\n';
  }

  void PrintProposed(const Proposed& proposed) {
    static const char* const kNames[] = {"appended",      "forwarded",  "no leader",
                                         "transferring",  "not member", "uncommitted full",
                                         "change pending"};
    out_ << "  " << kNames[static_cast<std::size_t>(proposed.result)];
    if (proposed.first_index) out_ << " at " << proposed.term << '/' << proposed.first_index;
    out_ << '\n';
  }

  void PrintLog(std::uint64_t id) {
    const Core& core = At(id).core();
    for (Index i = core.first_index(); i <= core.last_index(); ++i) {
      out_ << "  " << Describe(core.entry_at(i)) << (i <= core.committed() ? " committed" : "")
           << '\n';
    }
  }

  void PrintReads(std::uint64_t id) {
    for (const ReadState& read : At(id).reads) {
      out_ << "  " << read.context << " at " << read.index << '\n';
    }
  }

  void Drop(std::uint64_t from, std::uint64_t to) {
    for (std::size_t i = 0; i < cluster_->flying.size();) {
      const Message& m = cluster_->flying[i];
      if (m.from == MemberId(from) && (to == 0 || m.to == MemberId(to))) {
        out_ << "  lost: " << Describe(m) << '\n';
        cluster_->Drop(i);
      } else {
        ++i;
      }
    }
  }

  std::ostringstream out_;
  std::unique_ptr<Cluster> cluster_;
  const std::map<std::string, Command> commands_ = {
      {"campaign", [this](auto id, auto&) { At(id).core().Campaign(); }},
      {"tick",
       [this](auto id, auto& in) {
         for (std::uint64_t n = Number(in, 1); n > 0; --n) At(id).core().Tick();
       }},
      {"tick-election", [this](auto id, auto&) { TickElection(id); }},
      {"propose", [this](auto id, auto& in) { PrintProposed(At(id).core().Propose(Rest(in))); }},
      {"propose-conf",
       [this](auto id, auto& in) { PrintProposed(At(id).core().ProposeConfChange(Rest(in))); }},
      {"read",
       [this](auto id, auto& in) {
         out_ << (cluster_->Read(id, Rest(in)) ? "  asked\n" : "  no leader\n");
       }},
      {"reads", [this](auto id, auto&) { PrintReads(id); }},
      {"transfer",
       [this](auto id, auto& in) {
         const bool ok = At(id).core().TransferLeadership(MemberId(Number(in, 0)));
         out_ << (ok ? "  started\n" : "  refused\n");
       }},
      {"snapshot", [this](auto id, auto& in) { At(id).TakeSnapshot(Number(in, 0)); }},
      {"take", [this](auto id, auto&) { Take(id); }},
      {"persist",
       [this](auto id, auto&) {
         At(id).Persist();
         cluster_->Collect();
       }},
      {"work", [this](auto id, auto&) { Work(id); }},
      {"deliver", [this](auto id, auto&) { DeliverTo(id); }},
      {"drop", [this](auto id, auto& in) { Drop(id, Number(in, 0)); }},
      {"settle", [this](auto, auto&) { cluster_->Settle(); }},
      {"tick-all", [this](auto n, auto&) { cluster_->Tick(static_cast<int>(n)); }},
      {"isolate", [this](auto id, auto&) { cluster_->Isolate(id); }},
      {"heal", [this](auto, auto&) { cluster_->Heal(); }},
      {"join", [this](auto id, auto&) { cluster_->Join(id); }},
      {"crash",
       [this](auto id, auto& in) {
         At(id).Crash(Number(in, 0), 0, /*keep_commit=*/true);
         cluster_->CrashNoted(At(id));
       }},
      {"restart", [this](auto id, auto&) { At(id).Restart(); }},
      {"status", [this](auto id, auto&) { out_ << "  " << Describe(At(id).core().status()); }},
      {"log", [this](auto id, auto&) { PrintLog(id); }},
      {"unreachable",
       [this](auto id, auto& in) { At(id).core().ReportUnreachable(MemberId(Number(in, 0))); }},
  };
};

std::string ReadAll(const std::filesystem::path& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

// The script with the outputs it has when run now. Comment lines stay where they are.
std::string Transcript(const std::string& text) {
  Script script;
  std::istringstream in(text);
  std::string out;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("#") || line.empty()) out += line + "\n";
    if (line.starts_with("> ")) out += line + "\n" + script.Run(line.substr(2));
  }
  return out;
}

class RaftScript : public testing::TestWithParam<std::string> {};

TEST_P(RaftScript, BehavesAsWritten) {
  const std::filesystem::path path = std::filesystem::path(RAFT_SCRIPTS_DIR) / GetParam();
  const std::string text = ReadAll(path);
  ASSERT_FALSE(text.empty()) << path;
  const std::string actual = Transcript(text);
  EXPECT_EQ(actual.find("VIOLATION"), std::string::npos);
  if (std::getenv("RAFT_SCRIPTS_REWRITE") != nullptr) {
    std::ofstream(path) << actual;
    return;
  }
  EXPECT_EQ(actual, text);
}

std::vector<std::string> ScriptFiles() {
  std::vector<std::string> names;
  for (const auto& file : std::filesystem::directory_iterator(RAFT_SCRIPTS_DIR)) {
    names.push_back(file.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

INSTANTIATE_TEST_SUITE_P(Scripts, RaftScript, testing::ValuesIn(ScriptFiles()),
                         [](const auto& file) {
                           return file.param.substr(0, file.param.find('.'));
                         });

}  // namespace
}  // namespace etcd::raft
