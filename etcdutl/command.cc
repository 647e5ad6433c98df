#include "etcdutl/command.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace etcd::etcdutl {
namespace {

constexpr std::size_t kNameColumn = 11;

bool TakesValue(const Flag& flag) { return !std::holds_alternative<bool*>(flag.value); }

// ---- Usage.

std::string DefaultOf(const Flag& flag) {
  if (const auto* text = std::get_if<std::string*>(&flag.value); text && !(**text).empty()) {
    return fmt::format(" (default \"{}\")", **text);
  }
  if (const auto* number = std::get_if<std::uint64_t*>(&flag.value); number && **number != 0) {
    return fmt::format(" (default {})", **number);
  }
  return "";
}

std::string FlagTable(const std::vector<Flag>& flags) {
  std::vector<std::pair<std::string, std::string>> rows;
  std::size_t width = 0;
  for (const Flag& flag : flags) {
    std::string left = flag.shorthand == '\0'
                           ? "      --" + flag.name
                           : fmt::format("  -{}, --{}", flag.shorthand, flag.name);
    if (std::holds_alternative<std::string*>(flag.value)) left += " string";
    if (std::holds_alternative<std::uint64_t*>(flag.value)) left += " uint";
    width = std::max(width, left.size());
    rows.emplace_back(std::move(left), flag.help + DefaultOf(flag));
  }
  std::string out;
  for (const auto& [left, right] : rows) out += fmt::format("{:<{}}   {}\n", left, width, right);
  return out;
}

// The names from the root to the command that was found, and it.
struct Found {
  const Command* command;
  std::string path;
};

std::string Usage(const Command& root, const Found& found) {
  const Command& command = *found.command;
  std::string out = "Usage:\n  " + found.path;
  if (!command.commands.empty()) {
    out += " [command]\n\nAvailable Commands:\n";
    for (const Command& child : command.commands) {
      out += fmt::format("  {:<{}} {}\n", child.name, kNameColumn, child.help);
    }
  } else {
    if (!command.arguments.empty()) out += " " + command.arguments;
    out += " [flags]\n";
  }
  bool unused = false;
  std::vector<Flag> flags = command.flags;
  flags.push_back({"help", "help for " + command.name, &unused, 'h'});
  std::ranges::sort(flags, {}, &Flag::name);
  out += "\nFlags:\n" + FlagTable(flags);
  if (&command != &root) out += "\nGlobal Flags:\n" + FlagTable(root.flags);
  if (!command.commands.empty()) {
    out += fmt::format("\nUse \"{} [command] --help\" for more information about a command.\n",
                       found.path);
  }
  return out;
}

// ---- Values.

std::optional<bool> ParseBool(std::string_view text) {
  for (const char* yes : {"1", "t", "T", "TRUE", "true", "True"}) {
    if (text == yes) return true;
  }
  for (const char* no : {"0", "f", "F", "FALSE", "false", "False"}) {
    if (text == no) return false;
  }
  return std::nullopt;
}

// "" or the message of the error.
std::string Set(const Flag& flag, const std::string& text) {
  std::string reason;
  if (auto* const* string = std::get_if<std::string*>(&flag.value)) {
    **string = text;
  } else if (auto* const* number = std::get_if<std::uint64_t*>(&flag.value)) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), **number);
    if (error == std::errc::result_out_of_range) {
      reason = fmt::format("strconv.ParseUint: parsing \"{}\": value out of range", text);
    } else if (error != std::errc() || end != text.data() + text.size()) {
      reason = fmt::format("strconv.ParseUint: parsing \"{}\": invalid syntax", text);
    }
  } else if (const std::optional<bool> value = ParseBool(text)) {
    *std::get<bool*>(flag.value) = *value;
  } else {
    reason = fmt::format("strconv.ParseBool: parsing \"{}\": invalid syntax", text);
  }
  if (reason.empty()) return "";
  const std::string name = flag.shorthand == '\0'
                               ? "--" + flag.name
                               : fmt::format("-{}, --{}", flag.shorthand, flag.name);
  return fmt::format("invalid argument \"{}\" for \"{}\" flag: {}", text, name, reason);
}

// ---- Arguments.

// What is left once the words of commands are taken out.
class Reader {
 public:
  Reader(const Command& root, std::vector<std::string> words)
      : root_(root), words_(std::move(words)) {}

  // Descends as long as words name commands.
  Found Find() {
    Found found{&root_, root_.name};
    for (std::size_t i = 0; i < words_.size() && !found.command->commands.empty();) {
      if (words_[i].starts_with("-")) {
        i += IsFollowedByValue(words_[i], *found.command) ? 2 : 1;
        continue;
      }
      const auto& children = found.command->commands;
      const auto child = std::ranges::find(children, words_[i], &Command::name);
      if (child == children.end()) break;
      found = {&*child, found.path + " " + child->name};
      words_.erase(words_.begin() + static_cast<std::ptrdiff_t>(i));
    }
    return found;
  }

  // "" or the message of the first error.
  std::string ReadFlags(const Command& command) {
    for (std::size_t i = 0; i < words_.size(); ++i) {
      const std::string& word = words_[i];
      if (word == "--") {
        rest_.insert(rest_.end(), words_.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                     words_.end());
        break;
      }
      const bool is_flag = word.starts_with("-") && word != "-";
      if (!is_flag) {
        rest_.push_back(word);
        continue;
      }
      if (const std::string error = ReadFlag(command, i); !error.empty()) return error;
      if (wants_help_) return "";
    }
    return CheckRequired(command);
  }

  bool wants_help() const { return wants_help_; }
  const std::vector<std::string>& rest() const { return rest_; }

 private:
  const Flag* FindFlag(const Command& command, std::string_view name, char shorthand) const {
    for (const std::vector<Flag>* flags : {&command.flags, &root_.flags}) {
      for (const Flag& flag : *flags) {
        const bool is_it = shorthand == '\0' ? flag.name == name : flag.shorthand == shorthand;
        if (is_it) return &flag;
      }
    }
    return nullptr;
  }

  const Flag* FlagOf(const Command& command, const std::string& word) const {
    if (!word.starts_with("--")) return FindFlag(command, "", word.size() > 1 ? word[1] : '-');
    return FindFlag(command, std::string_view(word).substr(2, word.find('=') - 2), '\0');
  }

  bool IsFollowedByValue(const std::string& word, const Command& command) const {
    const Flag* flag = FlagOf(command, word);
    if (flag == nullptr || !TakesValue(*flag)) return false;
    return word.starts_with("--") ? word.find('=') == std::string::npos : word.size() == 2;
  }

  // Reads the flag at `i`, and its value behind it.
  std::string ReadFlag(const Command& command, std::size_t& i) {
    const std::string word = words_[i];
    const bool is_long = word.starts_with("--");
    const std::size_t equals = word.find('=');
    const Flag* flag = FlagOf(command, word);
    if (flag == nullptr) {
      wants_help_ = word == "--help" || word == "-h";
      if (wants_help_) return "";
      if (!is_long) return fmt::format("unknown shorthand flag: '{}' in {}", word[1], word);
      return "unknown flag: " + word.substr(0, equals);
    }
    set_.push_back(flag);
    if (is_long && equals != std::string::npos) return Set(*flag, word.substr(equals + 1));
    if (!is_long && word.size() > 2) return Set(*flag, word.substr(word[2] == '=' ? 3 : 2));
    if (!TakesValue(*flag)) return Set(*flag, "true");
    if (i + 1 < words_.size()) return Set(*flag, words_[++i]);
    return is_long ? "flag needs an argument: " + word
                   : fmt::format("flag needs an argument: '{}' in {}", word[1], word);
  }

  std::string CheckRequired(const Command& command) const {
    std::string missing;
    for (const Flag& flag : command.flags) {
      if (!flag.required || std::ranges::find(set_, &flag) != set_.end()) continue;
      missing += fmt::format("{}\"{}\"", missing.empty() ? "" : ", ", flag.name);
    }
    return missing.empty() ? "" : fmt::format("required flag(s) {} not set", missing);
  }

  const Command& root_;
  std::vector<std::string> words_;
  std::vector<std::string> rest_;
  std::vector<const Flag*> set_;
  bool wants_help_ = false;
};

int PrintHelp(const std::string& usage) {
  fmt::print("{}", usage);
  return 0;
}

int UnknownCommand(const Command& root, const std::string& word) {
  const std::string error =
      fmt::format("Error: unknown command \"{}\" for \"{}\"\n", word, root.name);
  fmt::print(stderr, "{0}Run '{1} --help' for usage.\n{0}", error, root.name);
  return kExitError;
}

}  // namespace

int Fail(int code, const std::string& message) {
  fmt::print(stderr, "Error: {}\n", message);
  return code;
}

int RunCommand(const Command& root, const std::vector<std::string>& arguments) {
  const bool is_help = !arguments.empty() && arguments[0] == "help";
  Reader reader(root, {arguments.begin() + (is_help ? 1 : 0), arguments.end()});
  const Found found = reader.Find();
  const std::string usage = Usage(root, found);
  if (is_help) return PrintHelp(usage);
  const std::string error = reader.ReadFlags(*found.command);
  if (!error.empty()) {
    fmt::print(stderr, "Error: {0}\n{1}\nError: {0}\n", error, usage);
    return kExitError;
  }
  if (reader.wants_help()) return PrintHelp(usage);
  if (found.command->run) return found.command->run(reader.rest());
  if (found.command == &root && !reader.rest().empty()) {
    return UnknownCommand(root, reader.rest().front());
  }
  return PrintHelp(usage);
}

}  // namespace etcd::etcdutl
