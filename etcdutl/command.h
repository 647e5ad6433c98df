#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <variant>
#include <vector>

// A tree of commands with flags, by the rules and texts of etcd's command-line library: flags may
// stand before and after arguments; errors are printed with the usage in between.
namespace etcd::etcdutl {

struct Flag {
  std::string name;
  std::string help;
  // Holds the default before the command line is read, and the value after.
  std::variant<std::string*, std::uint64_t*, bool*> value;
  char shorthand = '\0';
  bool required = false;
};

struct Command {
  std::string name;
  std::string arguments{};  // of the usage line: "<filename>"
  std::string help{};
  std::vector<Flag> flags{};  // ascending by name
  std::vector<Command> commands{};
  // Of a leaf: what was given besides flags; the exit code.
  std::function<int(const std::vector<std::string>&)> run{};
};

inline constexpr int kExitError = 1;
inline constexpr int kExitBadFormat = 4;
inline constexpr int kExitBadArguments = 128;

// Prints "Error: <message>" and returns `code`.
int Fail(int code, const std::string& message);

// Runs what the arguments (without the program's name) say. The flags of `root` are global.
int RunCommand(const Command& root, const std::vector<std::string>& arguments);

}  // namespace etcd::etcdutl
