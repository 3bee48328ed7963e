//! A real browser, driven through WebDriver: Debian's chromium and chromedriver. Without one a test says
//! nothing and passes, unless GRADSCOPE_REQUIRE_BROWSER is set (as `.ci/run` does): then that is a failure.
#![allow(dead_code)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use fantoccini::wd::{TimeoutConfiguration, WebDriverCompatibleCommand};
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// What a machine without a browser says to a test.
pub fn missing<T>(what: &str) -> Option<T> {
    assert!(std::env::var_os("GRADSCOPE_REQUIRE_BROWSER").is_none(), "no {what} here");
    None
}

/// What the tests took from npm; `None` where it was not installed.
pub fn npm(path: &str) -> Option<PathBuf> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/npm/node_modules").join(path);
    if file.exists() { Some(file) } else { missing(&format!("{path} (npm ci in target/npm)")) }
}

/// For a script on a machine that does much else.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(300);

/// A browser with one page, gone with it.
pub struct Browser {
    runtime: Runtime,
    client: Client,
    driver: Child,
    _profile: tempfile::TempDir,
}

/// A command of chromedriver's own.
#[derive(Debug)]
struct Own {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Own {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.body.to_string()))
    }
}

impl Browser {
    /// Cut off from every network.
    pub fn start() -> Option<Self> {
        let driver = Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).spawn();
        let Ok(mut driver) = driver else { return missing("chromedriver") };
        let said = BufReader::new(driver.stdout.take().expect("its output is piped"));
        let port = said.lines().map_while(Result::ok).find_map(|line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            Some(port.trim_end_matches('.').to_owned())
        });
        let port = port.expect("chromedriver says its port");
        let profile = tempfile::tempdir().expect("a temporary directory");
        let options = json!({
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": { "args": [
                "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
                "--disable-background-networking", "--disable-component-update", "--window-size=1000,900",
                "--host-resolver-rules=MAP * ~NOTFOUND", "--allow-file-access-from-files",
                format!("--user-data-dir={}", profile.path().display()),
            ] },
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(options.as_object().expect("an object").clone());
        let connected = runtime.block_on(builder.connect(&format!("http://127.0.0.1:{port}")));
        let client = match connected {
            Ok(client) => client,
            Err(error) => {
                let _ = driver.kill();
                return missing(&format!("chromium that starts: {error}"));
            }
        };
        let patient = TimeoutConfiguration::new(Some(PATIENCE), None, None);
        runtime.block_on(client.update_timeouts(patient)).expect("the driver is patient");
        Some(Self { runtime, client, driver, _profile: profile })
    }

    /// A page from disk.
    pub fn open(&self, page: &Path) -> &Self {
        let url = format!("file://{}", page.display());
        self.runtime.block_on(self.client.goto(&url)).expect("the page opens");
        self
    }

    /// What a script returns.
    pub fn run(&self, script: &str) -> Value {
        let ran = self.runtime.block_on(self.client.execute(script, Vec::new()));
        ran.unwrap_or_else(|e| panic!("{script}: {e}"))
    }

    /// What an expression is, as a text.
    pub fn text(&self, expression: &str) -> String {
        match self.run(&format!("return {expression}")) {
            Value::String(text) => text,
            other => other.to_string(),
        }
    }

    /// What a script promises.
    pub fn promised(&self, script: &str) -> Value {
        let script = format!(
            "const done = arguments[0]; (async () => {{ {script} }})().then(done, e => done(`failed: ${{e}}`));"
        );
        self.runtime.block_on(self.client.execute_async(&script, Vec::new())).expect("the script runs")
    }

    /// Clicks where the element is.
    pub fn click(&self, selector: &str) -> &Self {
        let click = async { self.client.find(fantoccini::Locator::Css(selector)).await?.click().await };
        self.runtime.block_on(click).unwrap_or_else(|e| panic!("{selector}: {e}"));
        self
    }

    /// Presses keys while this element has the focus; names as in `KeyboardEvent.key`.
    pub fn press(&self, selector: &str, keys: &[&str]) -> &Self {
        self.run(&format!("document.querySelector({}).focus()", json!(selector)));
        for key in keys {
            let code = match *key {
                "ArrowLeft" => 37,
                "ArrowUp" => 38,
                "ArrowRight" => 39,
                "ArrowDown" => 40,
                "Home" => 36,
                "End" => 35,
                "Escape" => 27,
                "Enter" => 13,
                "Tab" => 9,
                " " => 32,
                other => panic!("no key {other}"),
            };
            let text = match *key {
                "Enter" => "\r",
                " " => " ",
                _ => "",
            };
            for kind in ["keyDown", "keyUp"] {
                let mut event =
                    json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code });
                if kind == "keyDown" && !text.is_empty() {
                    event["text"] = json!(text);
                }
                self.devtools("Input.dispatchKeyEvent", event);
            }
        }
        self
    }

    /// Moves the pointer over the middle of an element.
    pub fn hover(&self, selector: &str) -> &Self {
        let at = self.run(&format!(
            "const part = document.querySelector({}); part.scrollIntoView({{ block: 'center' }});\
             const box = part.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]",
            json!(selector)
        ));
        self.devtools("Input.dispatchMouseEvent", json!({ "type": "mouseMoved", "x": at[0], "y": at[1] }));
        self
    }

    /// A command of the developer tools.
    pub fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.own("goog/cdp/execute", json!({ "cmd": command, "params": parameters }))
    }

    /// Light or dark, on a screen or on paper.
    pub fn media(&self, scheme: &str, medium: &str) -> &Self {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.devtools("Emulation.setEmulatedMedia", json!({ "media": medium, "features": features }));
        self
    }

    /// The width of the page, in CSS pixels.
    pub fn width(&self, width: u32) -> &Self {
        let metrics = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics);
        self
    }

    /// Everything that the console has said since it was last asked.
    pub fn console(&self) -> Vec<String> {
        let said = self.own("se/log", json!({ "type": "browser" }));
        said.as_array().expect("a list").iter().map(|line| line["message"].to_string()).collect()
    }

    /// What axe-core finds wrong with the page, one line a rule and place; `None` without axe-core.
    pub fn axe(&self) -> Option<Vec<String>> {
        let axe = std::fs::read_to_string(npm("axe-core/axe.min.js")?).expect("axe-core is a text");
        // The page's policy forbids it as an element of the page, rightly.
        self.devtools("Runtime.evaluate", json!({ "expression": axe }));
        let found = self.promised(
            "const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];\
             const found = await axe.run(document, { runOnly: tags, resultTypes: ['violations'] });\
             return found.violations.flatMap(v => v.nodes.map(n => `${v.id}: ${n.target} ${n.failureSummary}`));",
        );
        let list = found.as_array().unwrap_or_else(|| panic!("axe: {found}"));
        Some(list.iter().map(|line| line.as_str().unwrap_or_default().to_owned()).collect())
    }

    fn own(&self, path: &'static str, body: Value) -> Value {
        let shown = body.to_string();
        let answer = self.runtime.block_on(self.client.issue_cmd(Own { path, body }));
        answer.unwrap_or_else(|e| panic!("{path} {:.200}: {e}", shown))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.runtime.block_on(self.client.clone().close());
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
