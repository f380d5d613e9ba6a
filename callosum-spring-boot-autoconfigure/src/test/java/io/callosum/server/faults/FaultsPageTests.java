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

package io.callosum.server.faults;

import java.io.IOException;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import java.util.stream.Stream;

import org.junit.jupiter.api.Test;
import org.junit.platform.commons.annotation.Testable;
import org.junit.platform.commons.support.AnnotationSupport;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests that the page about faults matches the tests that exist.
 */
class FaultsPageTests {

	private static final Path PAGE = Path.of("FAULTS.md");

	private static final Path TESTS = Path.of("src/test/java");

	@Test
	void everyTestThatThePageNamesExists() throws Exception {
		List<String> missing = new ArrayList<>();
		Pattern.compile("`(\\w+Tests)(?:#(\\w+))?`").matcher(Files.readString(PAGE)).results().forEach((named) -> {
			String name = named.group(1);
			if (classesNamed(name).noneMatch((type) -> named.group(2) == null || hasMethod(type, named.group(2)))) {
				missing.add(named.group());
			}
		});
		assertThat(missing).isEmpty();
	}

	@Test
	void thePageNamesEveryTestOfTheSuite() throws Exception {
		String page = Files.readString(PAGE);
		List<String> missing = new ArrayList<>();
		try (Stream<Path> files = Files.list(TESTS.resolve("io/callosum/server/faults"))) {
			files.map((file) -> file.getFileName().toString().replace(".java", ""))
				// The soak is not part of the suite, and this class does not test a fault
				.filter((name) -> name.endsWith("Tests") && !name.equals(FaultsPageTests.class.getSimpleName()))
				.flatMap(FaultsPageTests::classesNamed)
				.flatMap((type) -> Arrays.stream(type.getDeclaredMethods()))
				.filter((method) -> AnnotationSupport.isAnnotated(method, Testable.class))
				.map((method) -> method.getDeclaringClass().getSimpleName() + "#" + method.getName())
				.filter((test) -> !page.contains("`" + test + "`"))
				.forEach(missing::add);
		}
		assertThat(missing).isEmpty();
	}

	@Test
	void everyFaultHasItsRow() throws IOException {
		TreeSet<Integer> rows = new TreeSet<>();
		Pattern.compile("^\\| (\\d+) \\|", Pattern.MULTILINE)
			.matcher(Files.readString(PAGE))
			.results()
			.forEach((row) -> assertThat(rows.add(Integer.valueOf(row.group(1)))).as(row.group()).isTrue());
		assertThat(rows).containsExactlyElementsOf(IntStream.rangeClosed(1, 47).boxed().toList());
	}

	private static Stream<Class<?>> classesNamed(String name) {
		try (Stream<Path> files = Files.walk(TESTS)) {
			List<Class<?>> classes = new ArrayList<>();
			for (Path file : files.filter((file) -> file.endsWith(name + ".java")).toList()) {
				String type = TESTS.relativize(file).toString().replace(".java", "").replace('/', '.');
				classes.add(Class.forName(type, false, FaultsPageTests.class.getClassLoader()));
			}
			return classes.stream();
		}
		catch (IOException | ClassNotFoundException ex) {
			throw new IllegalStateException(ex);
		}
	}

	private static boolean hasMethod(Class<?> type, String name) {
		return Arrays.stream(type.getDeclaredMethods()).map(Method::getName).anyMatch(name::equals);
	}

}
