// Starts the system's Chromium without a window, and without what it would ask the internet for.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { chromium } from "playwright-core";

/** A browser, and how to close it together with its cache. */
export async function launchBrowser() {
  const executablePath = chromiumPath();
  const cache = mkdtempSync(`${tmpdir()}/throng-browser-`);
  const browser = await chromium.launch({
    executablePath,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      `--disk-cache-dir=${cache}`,
    ],
  });
  const close = async () => {
    await browser.close();
    // Some of its processes still write for a moment.
    rmSync(cache, { recursive: true, force: true, maxRetries: 10 });
  };
  return { browser, close };
}

function chromiumPath() {
  const candidates = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser"];
  const found = candidates.find((path) => path && existsSync(path));
  if (!found) {
    throw new Error("Chromium is missing: scripts/test installs it, or set CHROMIUM to its path");
  }
  return found;
}
