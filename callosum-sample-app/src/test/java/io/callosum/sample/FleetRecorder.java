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

import java.awt.Color;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

import reactor.core.Disposable;
import reactor.core.publisher.Flux;

import io.callosum.sample.FleetBoard.Server;

/**
 * Records the fleet, and draws the recording as an animated SVG.
 */
final class FleetRecorder {

	private static final Duration PERIOD = Duration.ofMillis(250);

	/**
	 * How long the last frame stays, in periods.
	 */
	private static final int PAUSE = 10;

	private static final int CELL = 21;

	private static final int ROW = 62;

	private static final int LEFT = 16;

	private final List<List<Server>> frames = new CopyOnWriteArrayList<>();

	private final Disposable recording;

	FleetRecorder(FleetBoard board) {
		this.recording = Flux.interval(Duration.ZERO, PERIOD)
			.onBackpressureDrop()
			.subscribe((tick) -> this.frames.add(board.since(-1).servers()));
	}

	/**
	 * Stop recording, and write the animation.
	 */
	void save(Path file) throws IOException {
		this.recording.dispose();
		List<List<Server>> frames = new ArrayList<>(this.frames);
		for (int i = 0; i < PAUSE; i++) {
			frames.add(frames.get(frames.size() - 1));
		}
		int servers = frames.get(0).size();
		int slots = frames.stream().flatMap(List::stream).mapToInt((server) -> server.slots().size()).max().orElse(0);
		StringBuilder svg = new StringBuilder("""
				<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="14">
				<style>
				.text { fill: #17202a } .back { fill: #f4f6f8 }
				@media (prefers-color-scheme: dark) { .text { fill: #e6ebf0 } .back { fill: #10151a } }
				</style>
				<rect class="back" width="100%%" height="100%%" rx="8"/>
				""".formatted(2 * LEFT + slots * CELL, servers * ROW + LEFT));
		for (int i = 0; i < servers; i++) {
			drawServer(svg, frames.stream().map(at(i)).toList(), i * ROW + LEFT);
		}
		Files.createDirectories(file.getParent());
		Files.writeString(file, svg.append("</svg>\n"));
	}

	private static Function<List<Server>, Server> at(int index) {
		return (servers) -> servers.get(index);
	}

	private static void drawServer(StringBuilder svg, List<Server> frames, int y) {
		svg.append("<text class=\"text\" font-weight=\"bold\" x=\"%d\" y=\"%d\">%s</text>%n".formatted(LEFT, y + 12,
				frames.get(0).name()));
		List<String> texts = frames.stream()
			.map((server) -> "%s, %d connections".formatted(server.state(), server.connections()))
			.toList();
		for (String text : texts.stream().distinct().toList()) {
			svg.append("<text class=\"text\" x=\"%d\" y=\"%d\" opacity=\"0\">%s%s</text>%n".formatted(LEFT + 20, y + 12,
					text, animate("opacity", texts.stream().map((other) -> other.equals(text) ? "1" : "0").toList())));
		}
		int slots = frames.stream().mapToInt((server) -> server.slots().size()).max().orElse(0);
		IntStream.range(0, slots).forEach((slot) -> {
			List<String> colors = frames.stream()
				.map((server) -> (slot < server.slots().size()) ? color(server.slots().get(slot)) : "transparent")
				.toList();
			svg.append("<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"24\" rx=\"4\" fill=\"transparent\">%s</rect>%n"
				.formatted(LEFT + slot * CELL, y + 22, CELL - 2, animate("fill", colors)));
		});
	}

	/**
	 * Give an attribute the value of each frame, written only where it changes.
	 */
	private static String animate(String attribute, List<String> values) {
		List<Integer> changes = IntStream.range(0, values.size())
			.filter((i) -> i == 0 || !values.get(i).equals(values.get(i - 1)))
			.boxed()
			.toList();
		return "<animate attributeName=\"%s\" calcMode=\"discrete\" dur=\"%dms\" repeatCount=\"indefinite\" values=\"%s\" keyTimes=\"%s\"/>"
			.formatted(attribute, values.size() * PERIOD.toMillis(),
					changes.stream().map(values::get).collect(Collectors.joining(";")),
					changes.stream()
						.map((i) -> String.format(Locale.ROOT, "%.4f", (double) i / values.size()))
						.collect(Collectors.joining(";")));
	}

	/**
	 * Return the color that the page gives to one of the first twelve clients.
	 */
	private static String color(int client) {
		if (client == 0) {
			return "transparent";
		}
		float lightness = 0.73f;
		float saturation = 0.65f;
		float value = lightness + saturation * Math.min(lightness, 1 - lightness);
		int rgb = Color.HSBtoRGB((client - 1) * 150 % 360 / 360f, 2 * (1 - lightness / value), value);
		return "#%06x".formatted(rgb & 0xffffff);
	}

}
