#include "common/options.hpp"

#include <cstdio>
#include <filesystem>
#include <sstream>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include <rewind/autograd/tensor/error.hpp>

namespace examples {

void CommandLine::Option::between(double low, double high) {
  const std::string range = fmt::format("{} to {}", low, high);
  option_->check(CLI::Validator(
      [=](std::string& text) {
        double value = 0;
        const bool good = CLI::detail::lexical_cast(text, value) && value >= low && value <= high;
        return good ? std::string() : fmt::format("got {}, expected a number from {}", text, range);
      },
      range));
}

void CommandLine::Option::one_of(const std::vector<std::string>& words) {
  option_->check(CLI::IsMember(words));
}

CommandLine::CommandLine(std::string name, const std::string& summary, const std::string& examples)
    : name_(std::move(name)), app_(std::make_unique<CLI::App>(summary, name_)) {
  app_->footer("Examples:\n" + examples);
  app_->add_option("--save", save, "Write the trained model and its settings to this HDF5 file")
      ->type_name("FILE");
  app_->add_option("--load", load, "Test the model in this file, with the settings saved there")
      ->type_name("FILE");
  app_->add_option("--plot", plot, "Draw PNG files into this folder, with gnuplot")
      ->type_name("DIR");
  setting("seed", seed, "Every seed gives other weights, training data and test data")
      .between(0, 9e18);
}

CommandLine::~CommandLine() = default;

template <OptionValue T>
CommandLine::Option CommandLine::setting(const std::string& name, T& value,
                                         const std::string& help) {
  CLI::Option* const option = app_->add_option("--" + name, value, help);
  if constexpr (requires { value.reset(); }) {
    settings_.push_back({name, option, [&value] { return fmt::format("{}", value.value()); }});
  } else {
    option->capture_default_str();
    settings_.push_back({name, option, [&value] { return fmt::format("{}", value); }});
  }
  return Option(option);
}

using OptionText = const std::string&;
template CommandLine::Option CommandLine::setting(OptionText, std::string&, OptionText);
template CommandLine::Option CommandLine::setting(OptionText, std::int64_t&, OptionText);
template CommandLine::Option CommandLine::setting(OptionText, std::uint64_t&, OptionText);
template CommandLine::Option CommandLine::setting(OptionText, double&, OptionText);
template CommandLine::Option CommandLine::setting(OptionText, std::optional<std::int64_t>&,
                                                  OptionText);
template CommandLine::Option CommandLine::setting(OptionText, std::optional<double>&, OptionText);

void CommandLine::flag(const std::string& name, bool& value, const std::string& help) {
  app_->add_flag(fmt::format("--{0},!--no-{0}", name), value, help);
}

void CommandLine::output_file(const std::string& name, std::string& value,
                              const std::string& help) {
  app_->add_option("--" + name, value, help)->type_name("FILE");
}

void CommandLine::refuse(const std::string& reason) const {
  throw Stop{2, fmt::format("{}: {}\nRun with --help for more information.\n", name_, reason)};
}

void CommandLine::parse(int argc, const char* const* argv) {
  try {
    app_->parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0) {
      refuse(error.what());
    }
    std::ostringstream text;
    app_->exit(error, text);
    throw Stop{0, text.str()};
  }
  if (!load.empty()) {
    if (!save.empty()) {
      refuse("--save and --load exclude each other");
    }
    for (const Setting& setting : settings_) {
      if (setting.option->count() > 0) {
        refuse(
            fmt::format("--{0}: --load takes this from the file; leave out --{0}", setting.name));
      }
    }
    take_settings_from(load);
  }
  check_outputs();
}

void CommandLine::take_settings_from(const std::string& file) {
  rw::io::Attributes saved = rw::io::read_attributes(file);
  rw::check<rw::CheckpointError>(
      saved["experiment"] == name_,
      "{}: {} is not one of this program's checkpoints: its attribute \"experiment\" is \"{}\"",
      name_, file, saved["experiment"]);
  // The saved texts go through the same checks as those of a command line.
  std::vector<std::string> arguments;
  for (const Setting& setting : settings_) {
    const auto found = saved.find(setting.name);
    rw::check<rw::CheckpointError>(found != saved.end(), "{}: {} lacks the setting \"{}\"", name_,
                                   file, setting.name);
    arguments.push_back("--" + setting.name + "=" + found->second);
  }
  try {
    app_->parse(arguments);
  } catch (const CLI::ParseError& error) {
    throw rw::CheckpointError(fmt::format("{}: {}: {}", name_, file, error.what()));
  }
}

void CommandLine::check_outputs() const {
  namespace fs = std::filesystem;
  if (!save.empty()) {
    const fs::path folder = fs::absolute(save).parent_path();
    if (::access(folder.c_str(), W_OK) != 0 || fs::is_directory(save)) {
      refuse(fmt::format("--save: cannot write {}", save));
    }
  }
  std::error_code error;
  if (!plot.empty() && !fs::is_directory(plot) && !fs::create_directories(plot, error)) {
    refuse(fmt::format("--plot: cannot make the folder {}: {}", plot, error.message()));
  }
}

rw::io::Attributes CommandLine::attributes() const {
  rw::io::Attributes all{{"experiment", name_}};
  for (const Setting& setting : settings_) {
    all[setting.name] = setting.text();
  }
  return all;
}

void take_no_options(int argc, const char* const* argv, const std::string& summary) {
  CLI::App app(summary + "\nIt has no options: change the source.",
               std::filesystem::path(argv[0]).filename().string());
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream text;
    const int code = app.exit(error, text, text);
    throw Stop{code == 0 ? 0 : 2, text.str()};
  }
}

int guarded(const std::function<int()>& body) {
  try {
    return body();
  } catch (const Stop& stop) {
    std::fputs(stop.text.c_str(), stop.code == 0 ? stdout : stderr);
    return stop.code;
  } catch (const std::exception& error) {
    std::fflush(stdout);
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}

}  // namespace examples
