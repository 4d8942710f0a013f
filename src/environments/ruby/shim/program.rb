# frozen_string_literal: true

# Runs a program of the package that speaks its contract itself, with the gems of its Gemfile: ruby program.rb <file> [arguments]
# It starts in the package's folder.

setup = File.expand_path("vendor/bundle/bundler/setup.rb")
require setup if File.file?(setup)
$LOAD_PATH.unshift(Dir.pwd, File.expand_path("lib"))
$PROGRAM_NAME = ARGV.shift
load File.expand_path($PROGRAM_NAME)
