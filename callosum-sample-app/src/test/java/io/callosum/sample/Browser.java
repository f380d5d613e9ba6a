/*
 * Copyright 2026 the Callosum authors
 *
 * Licensed under the Apache License, Version 2.0 (the "License");
 * you may not use this file except in compliance with the License.
 * You may obtain a copy of the License at
 *
 *      https://www.apache.org/licenses/LICENSE-2.0
 *
 * Unless required by applicable law or agreed to in writing, software
 * distributed under the License is distributed on an "AS IS" BASIS,
 * WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
 * See the License for the specific language governing permissions and
 * limitations under the License.
 */

package io.callosum.sample;

import java.awt.Dimension;
import java.awt.image.BufferedImage;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.logging.Level;

import javax.imageio.ImageIO;

import org.awaitility.Awaitility;
import org.openqa.selenium.OutputType;
import org.openqa.selenium.chrome.ChromeDriver;
import org.openqa.selenium.chrome.ChromeDriverService;
import org.openqa.selenium.chrome.ChromeOptions;
import org.openqa.selenium.logging.LogEntry;
import org.openqa.selenium.logging.LogType;
import org.openqa.selenium.logging.LoggingPreferences;

import org.springframework.util.FileSystemUtils;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

/**
 * A Chromium without a window, and with a profile of its own.
 */
final class Browser implements AutoCloseable {

	private static final Path SCREENSHOTS = Path.of("target", "screenshots");

	/**
	 * Where the current pictures for the README are, to replace those in {@code docs}.
	 */
	static final Path DOCS = Path.of("target", "docs");

	private static final Duration PATIENCE = Duration.ofMinutes(3);

	private final Path data;

	private final ChromeDriver driver;

	private Browser(File chromium, File chromedriver) {
		try {
			this.data = Files.createTempDirectory("callosum-browser");
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
		ChromeOptions options = new ChromeOptions();
		options.setBinary(chromium);
		options.addArguments("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
				"--disable-background-networking", "--disable-component-update", "--disable-sync",
				"--disable-dev-shm-usage", "--user-data-dir=" + this.data);
		LoggingPreferences logs = new LoggingPreferences();
		logs.enable(LogType.BROWSER, Level.ALL);
		options.setCapability("goog:loggingPrefs", logs);
		this.driver = new ChromeDriver(
				new ChromeDriverService.Builder().usingDriverExecutable(chromedriver).usingAnyFreePort().build(),
				options);
		this.driver.manage().timeouts().scriptTimeout(PATIENCE);
		// Measure how long a thread runs, not how long it waits for a processor
		this.driver.executeCdpCommand("Performance.enable", Map.of("timeDomain", "threadTicks"));
	}

	/**
	 * Start the browser. If there is none, skip the test, or fail if no test may be
	 * skipped, as in continuous integration.
	 */
	static Browser start() {
		Optional<File> chromium = find("chromium", "chromium-browser", "google-chrome");
		Optional<File> chromedriver = find("chromedriver");
		boolean found = chromium.isPresent() && chromedriver.isPresent();
		String message = "This test needs Chromium with its driver on the PATH."
				+ " On Debian: apt-get install chromium chromium-driver";
		if (Boolean.getBoolean("callosum.tests.skip-nothing")) {
			assertThat(found).as(message).isTrue();
		}
		assumeTrue(found, message);
		return new Browser(chromium.get(), chromedriver.get());
	}

	private static Optional<File> find(String... names) {
		return Arrays.stream(names)
			.flatMap((name) -> Arrays.stream(System.getenv("PATH").split(File.pathSeparator))
				.map((folder) -> new File(folder, name)))
			.filter(File::canExecute)
			.findFirst();
	}

	ChromeDriver driver() {
		return this.driver;
	}

	void open(String url, int width, int height, String colorScheme) {
		this.driver.executeCdpCommand("Emulation.setDeviceMetricsOverride",
				Map.of("width", width, "height", height, "deviceScaleFactor", 1, "mobile", width < 600));
		this.driver.executeCdpCommand("Emulation.setEmulatedMedia",
				Map.of("features", List.of(Map.of("name", "prefers-color-scheme", "value", colorScheme))));
		moveMouseAway();
		this.driver.get(url);
	}

	private void moveMouseAway() {
		this.driver.executeCdpCommand("Input.dispatchMouseEvent", Map.of("type", "mouseMoved", "x", 0, "y", 0));
	}

	Object run(String script, Object... arguments) {
		return this.driver.executeScript(script, arguments);
	}

	/**
	 * Return the text of an element, which is empty if there is none.
	 */
	String text(String selector) {
		return (String) run("return document.querySelector(arguments[0])?.innerText ?? ''", selector);
	}

	/**
	 * Press a button as soon as it is there and nothing covers it. This is a single
	 * script, because the page may be redrawn between two.
	 * @param name the label of the button, or its text if it has no label
	 */
	void press(String name) {
		Awaitility.await("button " + name).atMost(PATIENCE).until(() -> (boolean) run("""
				const button = [...document.querySelectorAll('button')]
					.find((one) => (one.getAttribute('aria-label') ?? one.textContent) === arguments[0]);
				button?.scrollIntoView({ block: 'nearest' });
				const { left, top, width, height } = button?.getBoundingClientRect() ?? {};
				if (!button?.contains(document.elementFromPoint(left + width / 2, top + height / 2))) {
					return false;
				}
				button.focus();
				button.click();
				return true;
				""", name));
	}

	/**
	 * Count from now on how often the page is drawn.
	 * @param line selects a line of a plot, which changes with each drawing
	 */
	void countDrawings(String line) {
		run("""
				window.drawings = 0;
				new MutationObserver(() => window.drawings++)
					.observe(document.querySelector(arguments[0]), { attributes: true });
				""", line);
	}

	long drawings() {
		return (long) run("return window.drawings");
	}

	/**
	 * Return how many seconds the page has kept a processor busy so far. Other load on
	 * the machine makes no difference.
	 */
	double busySeconds() {
		List<?> metrics = (List<?>) this.driver.executeCdpCommand("Performance.getMetrics", Map.of()).get("metrics");
		return metrics.stream()
			.map((metric) -> (Map<?, ?>) metric)
			.filter((metric) -> metric.get("name").equals("TaskDuration"))
			.mapToDouble((metric) -> ((Number) metric.get("value")).doubleValue())
			.sum();
	}

	/**
	 * Show the page as it is once all its transitions have ended, including those that
	 * are yet to begin.
	 */
	private void endTransitions() {
		run("""
				const still = new CSSStyleSheet();
				still.replaceSync('*, ::before, ::after { animation: none !important; transition: none !important }');
				document.adoptedStyleSheets = [still];
				""");
	}

	/**
	 * Return what axe finds wrong with the page: rules, each with an element that breaks
	 * it. Ends transitions first, because an element that is still fading in has too
	 * little contrast.
	 */
	List<?> violations() throws IOException {
		endTransitions();
		try (InputStream script = Browser.class.getResourceAsStream("/axe.min.js")) {
			run(new String(script.readAllBytes(), StandardCharsets.UTF_8));
		}
		return (List<?>) this.driver.executeAsyncScript("""
				const done = arguments[arguments.length - 1];
				axe.run().then(({ violations }) => done(violations.flatMap(({ id, nodes }) =>
					nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`))));
				""");
	}

	void saveScreenshot(String name) {
		save(SCREENSHOTS.resolve(name + ".png"));
	}

	/**
	 * Save a picture for the README, and check that the one in {@code docs} is as large
	 * and was taken of a page with the same labels.
	 * @param name the name of the picture
	 * @param labels selects the elements that look the same in each picture
	 * @param condition the script of a condition that the page has to meet
	 */
	void saveReadmePicture(String name, String labels, String condition) throws IOException {
		endTransitions();
		moveMouseAway();
		run("document.activeElement.blur()");
		// Nothing is drawn afterwards, so the picture shows what met the condition
		Awaitility.await(condition).atMost(PATIENCE).until(() -> (boolean) run("""
				const text = (selector) => document.querySelector(selector).innerText;
				const ready = document.querySelector('main :hover, :focus') === null && (%s);
				if (ready) {
					window.requestAnimationFrame = () => 0;
				}
				return ready;
				""".formatted(condition)));
		Path picture = DOCS.resolve(name + ".png");
		save(picture);
		List<?> texts = (List<?>) run(
				"return [...document.querySelectorAll(arguments[0])].map(({ innerText }) => innerText)", labels);
		Path labelsNow = DOCS.resolve(name + ".txt");
		Files.write(labelsNow, texts.stream().map(String.class::cast).toList());
		assertThat(Path.of("docs", name + ".txt")).as("the labels of docs/" + name + ".png")
			.hasSameTextualContentAs(labelsNow);
		assertThat(size(Path.of("docs", name + ".png"))).as("the size of docs/" + name + ".png")
			.isEqualTo(size(picture));
	}

	private void save(Path file) {
		try {
			Files.createDirectories(file.getParent());
			Files.write(file, this.driver.getScreenshotAs(OutputType.BYTES));
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

	private static Dimension size(Path picture) throws IOException {
		BufferedImage image = ImageIO.read(picture.toFile());
		return new Dimension(image.getWidth(), image.getHeight());
	}

	/**
	 * Return what the console has shown since the last call.
	 */
	List<String> console() {
		return this.driver.manage().logs().get(LogType.BROWSER).getAll().stream().map(LogEntry::toString).toList();
	}

	@Override
	public void close() throws IOException {
		this.driver.quit();
		FileSystemUtils.deleteRecursively(this.data);
	}

}
